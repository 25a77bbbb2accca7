"""The interface of a logger: a program that curves of trainings are looked at with."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The training that is told of.

    Parameters
    ----------
    folder : Path
        Of the fold.
    dataset, plan, configuration, fold : str
        What is trained.
    settings : mapping of str to JSON value
        The numbers of run.json.
    iteration : int
        Where it stands: 0, or where a stopped training goes on.
    """

    folder: Path
    dataset: str
    plan: str
    configuration: str
    fold: str
    settings: Mapping[str, Any]
    iteration: int = 0

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.plan} {self.configuration} fold {self.fold}"

    @property
    def results(self) -> Path:
        """The folder of all results of the data set."""
        return self.folder.parents[2]


class Logger(ABC):
    """Tells another program of one training; made without arguments.

    Attributes
    ----------
    package : str
        What it imports, and only when it begins.
    extra : str
        The extra of autoseg that brings the package; empty: there is none.
    """

    package: ClassVar[str]
    extra: ClassVar[str] = ""

    @classmethod
    def check(cls) -> None:
        """Raise UsageError if the package is not there; called before all else."""
        if importlib.util.find_spec(cls.package) is None:
            wanted = f'"autoseg[{cls.extra}]"' if cls.extra else cls.package
            name = cls.__module__.rpartition(".")[2]
            raise UsageError(
                f"--log {name} needs the package {cls.package}: pip install {wanted}."
            )

    @abstractmethod
    def begin(self, subject: Subject, known: str | None) -> str:
        """Begin a run, or go on with one.

        Parameters
        ----------
        subject : Subject
            What is trained.
        known : str or None
            What this method returned when the training began; None: it begins.

        Returns
        -------
        str
            By which the same run is found again, by another process.
        """

    @abstractmethod
    def log(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Tell of numbers.

        Parameters
        ----------
        iteration : int
            How many iterations were done.
        numbers : mapping of str to float
            All finite; a slash parts groups, as in ``dice/liver``.
        """

    @abstractmethod
    def close(self, finished: bool) -> None:
        """Say that no more numbers come from this process.

        Parameters
        ----------
        finished : bool
            The training is over; otherwise it was stopped, or failed.
        """
