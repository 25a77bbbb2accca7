"""Label maps: which values they hold, and in how many cases each class occurs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from autoseg.datasets.series.drawn import is_drawn, read_drawn
from autoseg.datasets.series.maps import read_map
from autoseg.datasets.series.segments import known_of, named_values
from autoseg.datasets.vain import unwritable
from autoseg.errors import AutosegError
from autoseg.fingerprint.check.annotated import ignored_problems, stray_problems
from autoseg.fingerprint.check.annotations import class_problems
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.headers import header_problems
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem
from autoseg.fingerprint.check.segments import (
    disputed_names,
    segment_problems,
    segments_in,
)
from autoseg.formats.names import NRRD
from autoseg.spec.annotation import as_annotation
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS
from autoseg.tasks.base import Task

VOID = {-1, 254, 255, 65_535}  # what tools write where nobody annotated
MANY = 10  # more unknown values in one file than this are no forgotten classes


@CHECK_KINDS.register
class LabelsCheck(CheckKind):
    """The values in the files against those that dataset.json names.

    Files are read as they are, not through the task, which refuses values that it does
    not know: here all of them are collected, and one proposal is made. Of a task whose
    dataset.json has no `labels`, no value is known.
    """

    def __init__(self, dataset: Dataset, task: Task | None) -> None:
        super().__init__(dataset, task)
        self.labels = labels_of(dataset)
        self._segments: dict[Path, Mapping[str, int]] = {}  # by many threads

    def read(self, facts: CaseFacts, path: Path) -> tuple[Any, Geometry]:
        if self.labels is None:
            return super().read(facts, path)
        if not is_drawn(path):
            return read_map(path, self.dataset, names=self._names(), lazily=True)
        drawn = read_drawn(path, self.dataset, facts.geometry, facts.case.id)
        facts.problems += header_problems(drawn[1], path)
        return drawn

    def look_inside(self, facts: CaseFacts, path: Path, annotation: Any) -> None:
        super().look_inside(facts, path, annotation)
        facts.found = as_annotation(annotation).counts()
        if self.labels is not None and path.name.lower().endswith(NRRD):
            segments = segments_in(path)
            known = known_of(self.dataset, self._names())
            facts.problems += segment_problems(path, self.labels, segments, known)
            if named_values(segments, known) is None:
                self._segments[path] = {one.name: one.value for one in segments}

    def _names(self) -> Mapping[int, str]:
        """Return the names of values, by which segments are read."""
        if self.task is not None:
            return self.task.value_names
        labels = (self.labels or {}).items()
        return {values[0]: name for name, values in labels if len(values) == 1}

    def groups(self) -> Mapping[str, Sequence[Any]]:
        return foreground_of(self.labels) if self.labels else {}

    def counts(self, facts: CaseFacts) -> Mapping[Any, int] | None:
        counted: Mapping[Any, int] | None = facts.found
        return counted

    def together(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        if self.labels is not None:
            yield from _unknown_values(self.dataset, facts, self.labels)
            yield from disputed_names(self.dataset, self.labels, self._segments)
            nothing = _nothing_to_learn(self.dataset, facts, self.labels)
            if nothing is not None:
                yield nothing
                return
            yield from _missing_classes(self.dataset, facts, self.labels)
            yield from stray_problems(facts, foreground_of(self.labels))
            ignore = self.labels.get("ignore", (None,))[0]
            yield from ignored_problems(self.dataset, facts, ignore)
            yield from self._unwritable()

    def _unwritable(self) -> Iterator[Problem]:
        """Yield that predictions could not be written, whose values are these."""
        labels = {n: v for n, v in (self.labels or {}).items() if n != "ignore"}
        vain = unwritable(self.dataset, [v for of in labels.values() for v in of])
        if vain is not None:
            yield Problem("error", *vain)

    def classes(self, facts: Sequence[CaseFacts]) -> dict[str, int]:
        return cases_by_class(self.labels, facts) if self.labels else {}


def labels_of(dataset: Dataset) -> dict[str, tuple[int, ...]] | None:
    """Return the values of each label of a data set, ``ignore`` too.

    Parameters
    ----------
    dataset : Dataset
        The data set.

    Returns
    -------
    dict of str to tuple of int, or None
        None if the task has no `labels`, or they are wrong.
    """
    try:
        options = TASKS[dataset.task].from_dataset(dataset)
    except AutosegError:
        return None
    if "labels" not in options:
        return None
    labels: dict[str, Any] = dict(options["labels"])
    if "ignore" in options:
        labels["ignore"] = options["ignore"]
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in labels.items()
    }


def foreground_of(
    labels: Mapping[str, tuple[int, ...]],
) -> dict[str, tuple[int, ...]]:
    """Return the values of each class, background and ``ignore`` left out."""
    background = min(v for n, values in labels.items() if n != "ignore" for v in values)
    return {
        name: values
        for name, values in labels.items()
        if name != "ignore" and values != (background,)
    }


def cases_by_class(
    labels: dict[str, tuple[int, ...]], facts: Sequence[CaseFacts]
) -> dict[str, int]:
    """Return how many cases have each class, background and ``ignore`` left out."""
    seen = Counter(value for f in facts for value in (f.found or {}))
    counts = {}
    for name, values in foreground_of(labels).items():
        if len(values) == 1:
            counts[name] = seen[values[0]]
        else:
            counts[name] = sum(bool(set(values) & set(f.found or {})) for f in facts)
    return counts


def _without_background(
    dataset: Dataset, unknown: Set[int], labels: Mapping[str, Sequence[int]]
) -> Problem | None:
    """Return that 0 has no name, if that is all that is wrong with the values."""
    if unknown != {0}:
        return None
    proposal = {"background": 0, **dataset.raw.get("labels", {})}
    if set(proposal) != {"background", *labels}:
        return None
    return Problem(
        "error",
        dataset.folder / "dataset.json",
        "The annotations hold 0, and `labels` has no name for it: without a background "
        "its first class would be taken for one.",
        f'Say "labels": {json.dumps(proposal)}.',
    )


def _unknown_values(
    dataset: Dataset, facts: Sequence[CaseFacts], labels: dict[str, tuple[int, ...]]
) -> Iterator[Problem]:
    known = {value for values in labels.values() for value in values}
    seen = {value for f in facts for value in (f.found or {})}
    if seen <= known:
        return
    background = _without_background(dataset, seen - known, labels)
    if background is not None:
        yield background
        return
    proposal = propose(labels, seen)
    if proposal is not None:
        yield Problem(
            "error",
            dataset.folder / "dataset.json",
            f"The annotations hold the values {_listed(seen)}, but `labels` says "
            f"{_listed(known)}.",
            f'If they mean the same, say "labels": {json.dumps(proposal)}.',
        )
    for fact in facts:
        unknown = set(fact.found or {}) - known
        if not unknown or fact.case.annotation is None:
            continue
        yield Problem(
            "error",
            fact.case.annotation,
            f"The value {_listed(unknown)} is not in `labels` of dataset.json, which "
            f"knows {_listed(known)}.",
            "See the proposal for dataset.json." if proposal else _cure(unknown),
        )


def propose(
    labels: dict[str, tuple[int, ...]], seen: set[int]
) -> dict[str, int | list[int]] | None:
    """Return `labels` with the values that are in the files, if there is one for each.

    Masks that are 0 and 255 where dataset.json says 0 and 1 are the commonest case.

    Parameters
    ----------
    labels : dict of str to tuple of int
        What dataset.json says.
    seen : set of int
        Values in the files.

    Returns
    -------
    dict or None
        As it may stand in dataset.json: values in ascending order for one another.
    """
    known = {value for values in labels.values() for value in values}
    if len(seen) != len(known):
        return None
    table = dict(zip(sorted(known), sorted(seen), strict=True))
    return {
        name: table[values[0]] if len(values) == 1 else [table[v] for v in values]
        for name, values in labels.items()
    }


def _cure(unknown: set[int]) -> str:
    if len(unknown) > MANY:
        return (
            "So many values are no classes: edges may have been smoothed in resizing "
            "or by JPEG, the file may be an image, or its values number instances "
            '(then say "task": "instance").'
        )
    cure = "Add a name for it to `labels`, or correct the file."
    if unknown <= VOID and len(unknown) == 1:
        (value,) = unknown
        cure += (
            f' If it marks what nobody annotated, say "ignore": {value} in `labels`.'
        )
    return cure


def _nothing_to_learn(
    dataset: Dataset, facts: Sequence[CaseFacts], labels: dict[str, tuple[int, ...]]
) -> Problem | None:
    """Return that no case has a voxel of any class, though values are not all 0.

    Unknown values are said before, and annotations that are all 0 elsewhere.
    """
    read = [f for f in facts if f.found is not None]
    seen = {value for f in read for value in f.found}
    known = {value for values in labels.values() for value in values}
    if not read or all(f.empty for f in read) or seen - known:
        return None
    if any(cases_by_class(labels, read).values()):
        return None
    names = [name for name, values in labels.items() if seen & set(values)]
    return Problem(
        "error",
        dataset.folder / "dataset.json",
        f"No annotation has a voxel of any class, so there is nothing to learn: all "
        f"are {' or '.join(map(repr, names))}.",
        "Correct `labels`, or annotate the classes.",
    )


def _missing_classes(
    dataset: Dataset, facts: Sequence[CaseFacts], labels: dict[str, tuple[int, ...]]
) -> Iterator[Problem]:
    read = [f for f in facts if f.found is not None]
    if not read:
        return
    seen = {value for f in read for value in (f.found or {})}
    proposed = propose(labels, seen) is not None
    where = dataset.folder / "dataset.json"
    holding = {
        name: [f.case.annotation or where for f in read if set(values) & set(f.found)]
        for name, values in foreground_of(labels).items()
    }
    if proposed:  # what is missing has other values, as is said
        holding = {name: files for name, files in holding.items() if files}
    yield from class_problems(dataset, holding, len(read))


def _listed(values: set[int]) -> str:
    shown = sorted(values)
    text = ", ".join(map(str, shown[:MANY]))
    return text if len(shown) <= MANY else f"{text}, ... ({len(shown)} of them)"
