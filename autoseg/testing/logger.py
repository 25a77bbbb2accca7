"""Rules that every logger keeps, wherever it tells its numbers."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

from autoseg.testing._contract import Contract, require
from autoseg.train.loggers.base import Logger, Subject

RULES = Contract("logger")
NUMBERS = {"loss": 0.5, "learning_rate": 1e-2, "dice/left ventricle (wall)": 0.25}
SETTINGS = {"recipe": {"name": "fast"}, "because": "it is short " * 100, "seed": None}


def check_logger(kind: type[Logger]) -> None:
    """Raise PluginError unless a class keeps the rules of a logger.

    Parameters
    ----------
    kind : type
        The class; its package is there.
    """
    RULES.check(kind.__name__, [(kind,)])


@RULES.add
def a_run_is_found_again_after_a_stop(kind: type[Logger]) -> None:
    """By what it returned, which a file of text keeps; also in the same iteration."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "results" / "Data" / "unet" / "2d" / "fold_0"
        folder.mkdir(parents=True)
        first = _told(kind, _subject(folder, 0), None, (50, 100))
        require(isinstance(first, str) and first, f"begin returned {first!r}")
        again = _told(
            kind, _subject(folder, 50), json.loads(json.dumps(first)), (100, 150)
        )
        require(again == first, f"begin returned {again!r} for {first!r}")


@RULES.add
def it_names_its_package(kind: type[Logger]) -> None:
    """And finds it, where it is."""
    require(kind.package, "package is empty")
    kind.check()


def _subject(folder: Path, iteration: int) -> Subject:
    return Subject(
        folder=folder,
        dataset="Data",
        plan="unet",
        configuration="2d",
        fold="0",
        settings=SETTINGS,
        iteration=iteration,
    )


def _told(
    kind: type[Logger], subject: Subject, known: str | None, iterations: tuple[int, ...]
) -> str:
    logger = kind()
    found = logger.begin(subject, known)
    for iteration in iterations:
        logger.log(iteration, {**NUMBERS, "loss": math.exp(-iteration / 100)})
    logger.close(finished=known is not None)
    return found
