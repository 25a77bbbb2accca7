"""Tell loggers of a training: which, since when, and what of each line of the log."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoseg.errors import TrainingError, UsageError
from autoseg.evaluate.points import ALL
from autoseg.evaluate.summary import Summary
from autoseg.spec.json import dumps, write_text
from autoseg.train.loggers import LOGGERS
from autoseg.train.loggers.base import Logger, Subject
from autoseg.workspace import LOGGERS_FILE

logger = logging.getLogger(__name__)

NNUNET = "nnUNet_wandb_enabled"  # as nnU-Net asks for Weights & Biases
YES, NO = ("1", "True", "true"), ("0", "False", "false", "")
COUNTED = ("iteration", "epoch")  # of a line of the log; not drawn over themselves


def check_loggers(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the loggers that are asked for, by the user or by nnU-Net's variable.

    Raises
    ------
    PluginError
        If there is no logger of a name.
    UsageError
        If the package of one is missing, or nnU-Net's variable has no sense.
    """
    names = [*asked, *(["wandb"] if _nnunet_asks() else [])]
    for name in names:
        LOGGERS[name].check()
    return tuple(dict.fromkeys(names))


def _nnunet_asks() -> bool:
    value = os.environ.get(NNUNET, "")
    if value not in (*YES, *NO):
        raise UsageError(f"${NNUNET} is {value!r}; set it to 1 or 0.")
    return value in YES


class Telling:
    """The loggers of a training that is going on.

    Parameters
    ----------
    loggers : mapping of str to Logger
        By name; each has begun. One that fails is told nothing any more: it is no
        reason to lose a training.
    """

    def __init__(self, loggers: Mapping[str, Logger]) -> None:
        self._loggers = dict(loggers)

    def entry(self, entry: Mapping[str, Any]) -> None:
        """Tell of a line of the log."""
        self._all("log", int(entry["iteration"]), scalars(entry))

    def scores(self, iteration: int, summary: Path) -> None:
        """Tell of the scores of the validation cases, in a file."""
        found = Summary.load(summary)
        means = {name: one.mean for name, one in found.foreground.items()}
        numbers = {"validation": {**means, **found.points.get(ALL, {})}}
        self._all("log", iteration, scalars(numbers))

    def close(self, finished: bool) -> None:
        """Tell that nothing more comes from this process."""
        self._all("close", finished)

    def _all(self, method: str, *arguments: Any) -> None:
        for name, one in list(self._loggers.items()):
            try:
                getattr(one, method)(*arguments)
            except Exception:
                del self._loggers[name]
                logger.warning("%s is told no more: it failed.", name, exc_info=True)


@contextmanager
def telling(subject: Subject, asked: Sequence[str]) -> Iterator[Telling]:
    """Let loggers begin, or go on where a stopped training left them.

    Parameters
    ----------
    subject : Subject
        What is trained; its folder keeps which run of each logger it is.
    asked : sequence of str
        Loggers by name; those that the training began with come by themselves.

    Yields
    ------
    Telling
        Closed in the end.

    Raises
    ------
    TrainingError
        If one cannot begin.
    """
    path = subject.folder / LOGGERS_FILE
    runs: dict[str, str] = {}
    if path.is_file():
        runs = json.loads(path.read_text(encoding="utf-8"))
    begun: dict[str, Logger] = {}
    for name in dict.fromkeys([*runs, *asked]):
        LOGGERS[name].check()
        one = LOGGERS[name]()
        try:
            runs[name] = one.begin(subject, runs.get(name))
        except Exception as error:
            Telling(begun).close(finished=False)
            raise TrainingError(f"--log {name} could not begin: {error}") from error
        begun[name] = one
    if runs:
        write_text(path, dumps(runs))
    told = Telling(begun)
    finished = False
    try:
        yield told
        finished = True
    finally:
        told.close(finished)


def scalars(entry: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Return the finite numbers in nested mappings, their names joined by slashes.

    Examples
    --------
    >>> scalars({"iteration": 9, "loss": 0.5, "dice": {"a": 0.25, "b": None}})
    {'loss': 0.5, 'dice/a': 0.25}
    """
    found: dict[str, float] = {}
    for name, value in entry.items():
        if isinstance(value, Mapping):
            found |= scalars(value, f"{before}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            if name not in COUNTED and math.isfinite(value):
                found[f"{before}{name}"] = float(value)
    return found
