"""Look for everything that is wrong with a data set, all of it in one run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.datasets.read import read_dataset
from autoseg.errors import AutosegError, DatasetError
from autoseg.fingerprint.check import files
from autoseg.fingerprint.check.case import CaseFacts, look_at
from autoseg.fingerprint.check.grids import grid_problems
from autoseg.fingerprint.check.labels import (
    annotation_problems,
    cases_by_class,
    labels_of,
)
from autoseg.fingerprint.check.points import landmark_problems
from autoseg.fingerprint.check.problem import Problem
from autoseg.parallel import MemoryBudget, map_cases
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS
from autoseg.workspace import find_dataset, find_root

__all__ = ["Problem", "Report", "check", "check_dataset", "examine"]

ORDER = ("error", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that a check found.

    Parameters
    ----------
    dataset : Dataset or None
        What was checked; None if there is no dataset.json that can be read.
    problems : tuple of Problem
        Errors first.
    cases : tuple of CaseFacts
        What is in the training cases, sorted by id.
    """

    dataset: Dataset | None
    problems: tuple[Problem, ...]
    cases: tuple[CaseFacts, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether training or prediction would fail."""
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def classes(self) -> dict[str, int]:
        """In how many cases each class of a semantic data set occurs."""
        labels = labels_of(self.dataset) if self.dataset is not None else None
        return cases_by_class(labels, self.cases) if labels else {}


def check(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    workers: int | None = None,
) -> list[Problem]:
    """Return every problem of a data set.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    workers : int, optional
        Cases read at the same time; by default as many as there are cores.

    Returns
    -------
    list of Problem
        Errors first; with one of them, training or prediction would fail.

    Raises
    ------
    UsageError
        If there is no such data set.
    """
    return list(examine(find_dataset(dataset, find_root(root)), workers).problems)


def check_dataset(dataset: Dataset, workers: int | None = None) -> list[Problem]:
    """Return every problem of a data set whose dataset.json is right.

    Parameters
    ----------
    dataset : Dataset
        What `load_dataset` gave.
    workers : int, optional
        Cases read at the same time; by default as many as there are cores.

    Returns
    -------
    list of Problem
        Errors first; with one of them, training or prediction would fail.
    """
    facts = _look_at_all(dataset, workers)
    return list(_sorted(_problems(dataset, facts)))


def examine(folder: Path, workers: int | None = None) -> Report:
    """Look at everything in a data set folder.

    Parameters
    ----------
    folder : Path
        Where dataset.json is.
    workers : int, optional
        Cases read at the same time; by default as many as there are cores.

    Returns
    -------
    Report
        All problems. What is wrong with dataset.json does not keep the files from being
        looked at.
    """
    where = folder / "dataset.json"
    try:
        dataset, texts = read_dataset(folder)
    except DatasetError as error:
        fix = "Copy one from datasets_template/ and change it."
        return Report(
            dataset=None, problems=(Problem("error", where, str(error), fix),)
        )
    mend = "Mend it as docs/dataset.md says."
    problems = [
        Problem("error", where, f"{text[:1].upper()}{text[1:].rstrip('.')}.", mend)
        for text in texts
    ]
    facts = _look_at_all(dataset, workers)
    problems += _problems(dataset, facts)
    return Report(dataset=dataset, problems=_sorted(problems), cases=facts)


def _look_at_all(dataset: Dataset, workers: int | None) -> tuple[CaseFacts, ...]:
    task = _task(dataset)
    memory = MemoryBudget()
    found = map_cases(
        lambda case: look_at(case, dataset, task, memory),
        dataset.training,
        stage="check",
        workers=workers,
        name=lambda case: case.id,
    )
    return tuple(found.values())


def _task(dataset: Dataset) -> Any:
    """Return the task, None if dataset.json does not say enough to make it."""
    try:
        task = TASKS[dataset.task]
        return task(**task.from_dataset(dataset))
    except AutosegError:
        return None


def _problems(dataset: Dataset, facts: Sequence[CaseFacts]) -> list[Problem]:
    return [
        *files.description_problems(dataset),
        *files.number_problems(dataset),
        *files.split_problems(dataset),
        *files.group_problems(dataset),
        *files.unused_files(dataset),
        *(problem for fact in facts for problem in fact.problems),
        *annotation_problems(dataset, facts),
        *grid_problems(dataset, facts),
        *landmark_problems(dataset, facts),
        *files.duplicates(dataset, facts),
        *files.test_problems(dataset),
    ]


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    once = dict.fromkeys(problems)  # a file of all cases says the same for each
    return tuple(sorted(once, key=lambda problem: ORDER.index(problem.severity)))
