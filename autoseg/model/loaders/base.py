"""The interface of a loader: one way in which a trained model lies on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from autoseg.model.model import Model


class Loader(ABC):
    """Knows its own models, and reads them.

    A loader executes nothing that it finds, and reads no more of a file than such a
    file can have.

    Attributes
    ----------
    reads : str
        What it reads, for the message that a path is no model: ``"a bundle"``.
    """

    reads: ClassVar[str]

    @abstractmethod
    def is_mine(self, path: Path) -> bool:
        """Say whether a file or folder that exists holds models of this kind.

        It never raises for what is another's, or damaged.
        """

    @abstractmethod
    def load(
        self,
        path: Path,
        *,
        configuration: str | None = None,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
    ) -> Model:
        """Read a model.

        Parameters
        ----------
        path : Path
            For which `is_mine` is true.
        configuration : str, optional
            Which one, where there are several.
        folds : sequence of int or str, optional
            Default: all that are there.
        checkpoint : str
            ``"final"`` or ``"best"``, where there are both.

        Returns
        -------
        Model
            With one set of weights for each fold.

        Raises
        ------
        ModelError
            If it is incomplete or damaged, or none or several fit.
        """
