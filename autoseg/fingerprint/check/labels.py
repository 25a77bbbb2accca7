"""What the annotations of a data set say together: values, classes, emptiness."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from autoseg.errors import AutosegError
from autoseg.fingerprint.check.case import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.base import match_ending
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS

MANY = 10  # more unknown values in one file than this are no forgotten classes
JPEG = (".jpg", ".jpeg")


def annotation_problems(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    """Yield what is wrong with the annotations as a whole.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Of its training cases.

    Yields
    ------
    Problem
        About files, or about dataset.json.
    """
    if match_ending(dataset.annotation_ending, JPEG):
        yield Problem(
            "error",
            dataset.folder / "labelsTr",
            "The annotations are JPEG files, which change values; predictions cannot "
            "be written as such.",
            "Convert them to png, round to the values that are meant, and set "
            '"label_ending": ".png".',
        )
    yield from _empty_annotations(dataset, facts)
    labels = labels_of(dataset)
    if labels is not None:
        yield from _unknown_values(dataset, facts, labels)
        yield from _missing_classes(dataset, facts, labels)


def labels_of(dataset: Dataset) -> dict[str, tuple[int, ...]] | None:
    """Return the values of each label of a semantic data set, ``ignore`` too.

    Parameters
    ----------
    dataset : Dataset
        The data set.

    Returns
    -------
    dict of str to tuple of int, or None
        None for other tasks, or if `labels` is wrong.
    """
    if dataset.task != "semantic":
        return None
    try:
        options = TASKS["semantic"].from_dataset(dataset)
    except AutosegError:
        return None
    labels: dict[str, Any] = dict(options["labels"])
    if "ignore" in options:
        labels["ignore"] = options["ignore"]
    return {
        name: tuple(value) if isinstance(value, list) else (value,)
        for name, value in labels.items()
    }


def cases_by_class(
    labels: dict[str, tuple[int, ...]], facts: Sequence[CaseFacts]
) -> dict[str, int]:
    """Return how many cases have each class, background and ``ignore`` left out."""
    background = min(v for n, values in labels.items() if n != "ignore" for v in values)
    seen = Counter(value for f in facts for value in (f.values or {}))
    counts = {}
    for name, values in labels.items():
        if name == "ignore" or values == (background,):
            continue
        if len(values) == 1:
            counts[name] = seen[values[0]]
        else:
            counts[name] = sum(bool(set(values) & set(f.values or {})) for f in facts)
    return counts


def _empty_annotations(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    empty = [f.case.annotation for f in facts if f.empty and f.case.annotation]
    if empty and len(empty) == len(facts):
        yield Problem(
            "error",
            dataset.folder / "labelsTr",
            "Every annotation is empty: there is nothing but zeros.",
            "Put the right files there.",
        )
        return
    for path in empty:
        yield Problem(
            "warning",
            path,
            "The annotation is empty: there is nothing but zeros.",
            "Keep it if nothing is there to be seen; otherwise annotate the image, or "
            "take it out.",
        )


def _unknown_values(
    dataset: Dataset, facts: Sequence[CaseFacts], labels: dict[str, tuple[int, ...]]
) -> Iterator[Problem]:
    known = {value for values in labels.values() for value in values}
    seen = {value for f in facts for value in (f.values or {})}
    if seen <= known:
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
        unknown = set(fact.values or {}) - known
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
    return "Add a name for it to `labels`, or correct the file."


def _missing_classes(
    dataset: Dataset, facts: Sequence[CaseFacts], labels: dict[str, tuple[int, ...]]
) -> Iterator[Problem]:
    read = [f for f in facts if f.values is not None]
    if not read:
        return
    seen = {value for f in read for value in (f.values or {})}
    proposal = propose(labels, seen) is not None
    where = dataset.folder / "dataset.json"
    for name, cases in cases_by_class(labels, read).items():
        if cases == 0 and not proposal:
            yield Problem(
                "warning",
                where,
                f"The class {name!r} occurs in no annotation.",
                "Take it out of `labels`, or correct the annotations.",
            )
        if cases == 1 and len(read) > 1:
            only = next(f for f in read if set(labels[name]) & set(f.values or {}))
            yield Problem(
                "warning",
                only.case.annotation or where,
                f"The class {name!r} occurs in this annotation only.",
                "Four of five folds will learn it from one case, the fifth not at all; "
                "annotate more.",
            )


def _listed(values: set[int]) -> str:
    shown = sorted(values)
    text = ", ".join(map(str, shown[:MANY]))
    return text if len(shown) <= MANY else f"{text}, ... ({len(shown)} of them)"
