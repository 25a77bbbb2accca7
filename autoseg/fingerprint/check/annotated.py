"""Whether `annotated` fits the cases, and how much it says is annotated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.vain import fits_nothing
from autoseg.errors import DatasetError, amount, some_of
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.spec.dataset import KEY, Dataset, entries_of
from autoseg.tasks.base import Task


def annotated_problems(dataset: Dataset, task: Task | None) -> Iterator[Problem]:
    """Yield what is wrong with ``annotated``, then how many cases speak of each class.

    Parameters
    ----------
    dataset : Dataset
        With the key, or without.
    task : Task or None
        Names the classes; None if dataset.json does not say enough.
    """
    where = dataset.folder / "dataset.json"
    try:
        entries = entries_of(dataset.raw)
    except DatasetError:
        return  # said already, with all that is wrong with dataset.json
    for vain in fits_nothing(dataset):
        yield Problem("error", *vain)
    names: Sequence[str] = task.classes if task is not None else ()
    if not entries or not names or not dataset.training:
        return
    counts = Counter(
        name
        for case in dataset.training
        for name in names
        if case.annotated is None or name in case.annotated
    )
    nowhere = [name for name in names if not counts[name]]
    if nowhere:
        yield Problem(
            "error",
            where,
            f"By `{KEY}`, {some_of([repr(name) for name in nowhere])} is annotated in "
            "no case.",
            "Take it out of `labels`, or annotate it somewhere.",
        )
    whole = sum(case.annotated is None for case in dataset.training)
    said = ", ".join(f"{name} in {counts[name]}" for name in names)
    yield Problem(
        "note",
        where,
        f"Of {len(dataset.training)} cases, {whole} are annotated in full; {said}.",
        "What a case says nothing of counts neither in training nor in scores.",
    )


def stray_problems(
    facts: Sequence[CaseFacts], values: Mapping[str, Sequence[Any]]
) -> Iterator[Problem]:
    """Yield what was drawn of classes that are said not to be annotated in a case.

    Parameters
    ----------
    facts : sequence of CaseFacts
        Whose ``found`` has how much there is by value.
    values : mapping of str to sequence
        The values of each class, background left out.
    """
    for fact in facts:
        said = fact.case.annotated
        if said is None or not fact.found or fact.case.annotation is None:
            continue
        fine = {v for name in said for v in values.get(name, ())}
        stray = {
            name: sum(fact.found.get(value, 0) for value in own if value not in fine)
            for name, own in values.items()
            if name not in said
        }
        listed = [f"{count} voxels of {n!r}" for n, count in stray.items() if count]
        if listed:
            yield _stray(fact.case.annotation, listed)


def ignored_problems(
    dataset: Dataset, facts: Sequence[CaseFacts], ignore: int | None
) -> Iterator[Problem]:
    """Yield how much of label maps nobody annotated.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Whose ``found`` has the voxels by value.
    ignore : int or None
        The value that says so.
    """
    if ignore is None:
        return
    shares = [
        1 - fact.found.get(ignore, 0) / sum(fact.found.values())
        for fact in facts
        if fact.found
    ]
    partly = [share for share in shares if share < 1]
    if not partly:
        return
    yield Problem(
        "note",
        dataset.folder / "dataset.json",
        f"In {len(partly)} of {len(shares)} cases not every voxel is annotated: of "
        f"those, {100 * sum(partly) / len(partly):.3g} % on average and "
        f"{100 * min(partly):.3g} % at least.",
        "What is `ignore` counts neither in training nor in scores; patches center on "
        "what is annotated.",
    )


def stray_instances(annotation: Any, fact: CaseFacts, names: Mapping[int, str]) -> None:
    """Note which instances are of classes that are said not to be annotated.

    Parameters
    ----------
    annotation : Instances
        Of a case.
    fact : CaseFacts
        Of the case; what is wrong is added to its problems.
    names : mapping of int to str
        Of the classes.
    """
    unknown = set(getattr(annotation, "unknown", ()))
    if not unknown or fact.case.annotation is None:
        return
    found = Counter(annotation.class_of(i) for i in annotation.ids)
    stray = {names[k]: n for k, n in sorted(found.items()) if k in unknown}
    if stray:
        listed = [f"{amount(n, 'instance')} of {name!r}" for name, n in stray.items()]
        fact.problems.append(_stray(fact.case.annotation, listed))


def _stray(path: Path, listed: Sequence[str]) -> Problem:
    return Problem(
        "warning",
        path,
        f"It has {some_of(listed)}, which by `{KEY}` is not annotated here.",
        "They will count for nothing. Say in dataset.json that the class is annotated, "
        "or erase them.",
    )
