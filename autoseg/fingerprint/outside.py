"""What is annotated where images are cut away: there nothing is learnt or found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.errors import some_of
from autoseg.geometry.crop import whole_box
from autoseg.spec.annotation import Annotation
from autoseg.tasks.base import Task

# Of each class, how much lies outside of the box and how much there is.
Outside = dict[str, tuple[int, int]]

SHOWN = 3  # cases in a message
LEAST = 0.1  # percent: a smaller share is not written in digits


def groups_of(task: Task) -> dict[str, Sequence[Any]]:
    """Return, for each class of a task, the keys of `Annotation.counts` that are it."""
    if task.class_names:
        return {name: (number,) for number, name in task.class_names.items()}
    return {name: task.members(name) or (name,) for name in task.classes}


def outside_of(
    annotation: Annotation,
    box: Sequence[slice],
    groups: Mapping[str, Sequence[Any]],
    whole: Mapping[Any, int] | None = None,
) -> Outside:
    """Return how much of each class lies outside of a box.

    Parameters
    ----------
    annotation : Annotation
        On the image's grid.
    box : sequence of slice, length D
        What the image is cropped to.
    groups : mapping of str to sequence of key
        What each class is made of: keys of `Annotation.counts`.
    whole : mapping of key to int, optional
        What `Annotation.counts` gave, if it was asked already.

    Returns
    -------
    dict of str to (int, int)
        How much lies outside, and how much there is; only of what lies outside in part.
    """
    if tuple(box) == whole_box(annotation.shape):
        return {}
    whole = annotation.counts() if whole is None else whole
    inside = annotation.cropped(box).counts()
    found = {}
    for name, keys in groups.items():
        there = sum(whole.get(key, 0) for key in keys)
        beyond = there - sum(inside.get(key, 0) for key in keys)
        if beyond:
            found[name] = (beyond, there)
    return found


def outside_text(cases: Mapping[str, Outside], total: int) -> tuple[str, str] | None:
    """Return what to say of annotation outside of the boxes, and what to do.

    Parameters
    ----------
    cases : mapping of str to Outside
        Of each case; nothing for those of which nothing lies outside.
    total : int
        How many cases there are.

    Returns
    -------
    (str, str) or None
        Two sentences; None if nothing lies outside.
    """
    concerned = {case: found for case, found in cases.items() if found}
    if not concerned:
        return None
    sums: Outside = {}
    for found in concerned.values():
        for name, (beyond, there) in found.items():
            before = sums.get(name, (0, 0))
            sums[name] = (before[0] + beyond, before[1] + there)
    shares = ", ".join(f"{_share(*both)} of {name!r}" for name, both in sums.items())
    return (
        f"In {len(concerned)} of {total} cases ({some_of(list(concerned), SHOWN)}) "
        "something is annotated outside of the box of the voxels that are not 0, to "
        f"which images are cropped: {shares}.",
        "It can be neither learnt nor found. If 0 is a value of these images like any "
        'other, say "crop": "none" in dataset.json.',
    )


def _share(part: int, whole: int) -> str:
    percent = 100 * part / whole
    if percent < LEAST:
        return f"less than {LEAST:g} %"
    return f"{percent if part == whole else min(percent, 100 - LEAST):.3g} %"
