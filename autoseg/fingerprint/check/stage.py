"""Look for everything that is wrong with a data set, all of it in one run."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoseg.datasets.layouts.names import is_bids
from autoseg.datasets.read import PARTS, read_dataset
from autoseg.errors import AutosegError, DatasetError
from autoseg.fingerprint.check import files
from autoseg.fingerprint.check.annotated import annotated_problems
from autoseg.fingerprint.check.annotations import annotation_problems
from autoseg.fingerprint.check.case import look_at
from autoseg.fingerprint.check.facts import CaseFacts, told
from autoseg.fingerprint.check.grids import grid_problems, in_one_unit
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import (
    Problem,
    Problems,
    all_denied,
    denied,
    problem_of,
)
from autoseg.fingerprint.check.unannotated import unannotated_problems
from autoseg.fingerprint.check.unread import unread
from autoseg.fingerprint.check.values import (
    channel_problems,
    extreme_problems,
    scale_problems,
)
from autoseg.fingerprint.outside import outside_text
from autoseg.parallel import MemoryBudget, map_cases
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.place import may_be_read
from autoseg.tasks import TASKS, choose_task, make_task
from autoseg.tasks.base import Task
from autoseg.workspace import find_dataset, find_root

__all__ = ["Problem", "Report", "check", "check_dataset", "examine"]

ORDER = ("error", "warning", "note")
HIDES = "What cannot be listed hides what belongs together: nothing else was looked at."


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
    classes : mapping of str to int
        In how many cases each class occurs; empty if its task counts none.
    hidden : tuple of str
        Folders of the data set that may not be listed.
    """

    dataset: Dataset | None
    problems: tuple[Problem, ...]
    cases: tuple[CaseFacts, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether training or prediction would fail."""
        return any(problem.severity == "error" for problem in self.problems)


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
    return Problems(examine(find_dataset(dataset, find_root(root)), workers).problems)


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
    kind = _kind(dataset)
    facts = _look_at_all(dataset, kind, workers)
    return list(_sorted(_problems(dataset, kind, facts, workers)))


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
    hidden = [part for part in PARTS if _is_hidden(folder / part)]
    try:
        dataset, texts = read_dataset(folder, hidden)
    except PermissionError as error:
        told = all_denied(folder, HIDES)
        if len(told) == 1:  # it lies elsewhere, by a link
            told.insert(0, denied(Path(error.filename or folder)))
        return Report(dataset=None, problems=tuple(told))
    except DatasetError as error:
        if where.is_file():
            return Report(dataset=None, problems=(problem_of(error, where),))
        if is_bids(folder):  # the error says what is meant, and what to do
            return Report(dataset=None, problems=(problem_of(error, where),))
        fix = "Copy one from datasets_template/ and change it."
        return Report(
            dataset=None, problems=(Problem("error", where, str(error), fix),)
        )
    mend = "Mend it as docs/dataset.md says."
    problems = [
        Problem("error", where, f"{text[:1].upper()}{text[1:].rstrip('.')}.", mend)
        for text in texts
    ]
    kind = _kind(dataset)
    facts = _look_at_all(dataset, kind, workers)
    problems += _problems(dataset, kind, facts, workers, hidden)
    if hidden:
        denials = all_denied(folder, _unsaid(dataset, hidden))
        files = {problem.file for problem in denials if problem.severity == "error"}
        rest = [p for p in problems if p.file not in files or p.severity != "error"]
        problems = [*denials, *rest]  # each of them once
    return Report(
        dataset=dataset,
        problems=_sorted(problems),
        cases=facts,
        classes=kind.classes(facts) if _known(dataset, hidden) else {},
        hidden=tuple(hidden),
    )


def _kind(dataset: Dataset) -> CheckKind:
    """Return what is looked at in annotations; the plain look at what nobody knows."""
    if dataset.task not in TASKS:
        return CheckKind(dataset, None)
    kind = CHECK_KINDS.get(TASKS[dataset.task].kind, CheckKind)
    return kind(dataset, _task(dataset))


def _task(dataset: Dataset) -> Task | None:
    """Return the task, None if dataset.json does not say enough to make it."""
    try:
        return make_task(choose_task(dataset))
    except AutosegError:
        return None


def _look_at_all(
    dataset: Dataset, kind: CheckKind, workers: int | None
) -> tuple[CaseFacts, ...]:
    memory = MemoryBudget()
    found = map_cases(
        lambda case: look_at(case, dataset, kind, memory),
        dataset.training,
        stage="check",
        workers=workers,
        name=lambda case: case.id,
    )
    return in_one_unit(found.values())


def _problems(
    dataset: Dataset,
    kind: CheckKind,
    facts: Sequence[CaseFacts],
    workers: int | None,
    hidden: Collection[str] = (),
) -> list[Problem]:
    return [
        *_of_whole(dataset, kind, facts, hidden),
        *unread(dataset, kind, facts, hidden),
        *told(facts),
        *extreme_problems(facts),
        *scale_problems(dataset, facts),
        *channel_problems(dataset, facts),
        *_outside_problems(dataset, facts),
        *grid_problems(dataset, facts),
        *files.duplicates(dataset, facts),
        *files.test_problems(dataset),
        *unannotated_problems(dataset, facts, workers),
    ]


def _of_whole(
    dataset: Dataset,
    kind: CheckKind,
    facts: Sequence[CaseFacts],
    hidden: Collection[str],
) -> Iterator[Problem]:
    """Yield what can be said only if all cases are known, and their annotations."""
    if _known(dataset, hidden):
        yield from files.description_problems(dataset)
        yield from files.number_problems(dataset)
        yield from files.id_problems(dataset)
        yield from files.split_problems(dataset)
        yield from files.group_problems(dataset)
        yield from annotated_problems(dataset, kind.task)
        yield from annotation_problems(dataset, facts)
        yield from kind.together(facts)


def _known(dataset: Dataset, hidden: Collection[str]) -> bool:
    """Return whether the cases and their annotations can be found."""
    return dataset.raw.get("dataset") is not None or not {*hidden} & {*PARTS[:2]}


def _is_hidden(folder: Path) -> bool:
    """Return whether a folder is there and may not be listed."""
    try:
        return folder.is_dir() and not may_be_read(folder)
    except PermissionError:  # of the folder that it is in: reading that says so
        return False


def _unsaid(dataset: Dataset, hidden: Sequence[str]) -> str:
    """Return what was not looked at, where folders may not be listed."""
    named = " and ".join(hidden)
    if _known(dataset, hidden):
        return f"What lies in {named} was not looked at, all else was."
    rest = "which annotation belongs to which image, and what is wrong with these"
    if PARTS[0] in hidden:
        rest = "which training cases there are, and what is wrong with their files"
    hides = f"{named} cannot be listed, so that nobody knows {rest}"
    return f"{hides}; all else was looked at."


def _outside_problems(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    said = outside_text({f.case.id: f.outside for f in facts}, len(facts))
    if said is not None:
        yield Problem("warning", dataset.folder / "dataset.json", *said)


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    once = dict.fromkeys(problems)  # a file of all cases says the same for each
    return tuple(sorted(once, key=lambda problem: ORDER.index(problem.severity)))
