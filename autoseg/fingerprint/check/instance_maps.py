"""What a person should look at in a map of ids: lost, in pieces, with odd ids."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.problem import Problem
from autoseg.spec.instances import Arranged

SHOWN = 8  # ids that a message lists
TWINS = 0.9  # IoU, over which two objects were drawn twice rather than overlap
LEAST_SLICED = 8  # instances, before their being flat is no chance
WRAPPED = {255: "8", 65_535: "16"}


def mask_problem(
    labels: NDArray[Any], path: Path, names: Mapping[int, str]
) -> Problem | None:
    """Return that a map has one id for several pieces, None if it has not.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids.
    path : Path
        Its file.
    names : mapping of int to str
        What each id is called.
    """
    from scipy import ndimage

    ids = np.unique(labels[labels > 0])
    if len(ids) != 1 or ndimage.label(labels > 0)[1] < 2:
        return None
    return Problem(
        "warning",
        path,
        f"All objects have one id, {_name(ids[0], names)}, though they are in several "
        "pieces, as in a mask of the foreground.",
        "Give each object an id of its own, unless they are one.",
    )


def instance_problems(
    labels: NDArray[Any],
    path: Path,
    names: Mapping[int, str] | None = None,
    layers: Sequence[NDArray[Any]] = (),
) -> list[Problem]:
    """Return what a person should look at in a map of ids.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids.
    path : Path
        Its file.
    names : mapping of int to str, optional
        What each id is called, where it is in a file of its own or in COCO's JSON; also
        of those that left no voxel.
    layers : sequence of ndarray of int, shape S, optional
        Where objects overlap, maps that hold each of them whole.

    Returns
    -------
    list of Problem
        Warnings: instances that are not there, ids in several pieces, instances of one
        voxel, instances with holes, one id that may be a mask of the foreground or the
        background, and ids that end where a type does.
    """
    maps = layers or [labels]
    problems = _lost(np.stack(maps), path, names or {})
    mask = mask_problem(labels, path, names or {})
    odd = [problem for one in maps for problem in _odd(one, path, names or {})]
    return problems + ([mask] if mask else odd)


def twin_problems(
    arranged: Arranged, path: Path, names: Mapping[int, str]
) -> list[Problem]:
    """Return that objects were drawn twice: pairs that are nearly one mask.

    Parameters
    ----------
    arranged : Arranged
        The objects of a case that share voxels.
    path : Path
        Its file.
    names : mapping of int to str
        What each id is called.
    """
    voxels = Counter[int]()
    shared = Counter[tuple[int, int]]()
    found, counts = np.unique(arranged.codes, return_counts=True)
    for code, count in zip(found.tolist(), counts.tolist(), strict=True):
        inside = arranged.base <= code < arranged.base + len(arranged.sets)
        members = arranged.sets[code - arranged.base] if inside else (code,)
        voxels.update(dict.fromkeys(members, count))
        shared.update(dict.fromkeys(itertools.combinations(sorted(members), 2), count))
    twins = [
        f"{_name(a, names)} and {_name(b, names)}"
        for (a, b), both in sorted(shared.items())
        if both > TWINS * (voxels[a] + voxels[b] - both)
    ]
    if not twins:
        return []
    return [
        Problem(
            "warning",
            path,
            f"{amount(len(twins), 'pair')} of instances are nearly one mask: "
            f"{some_of(twins, SHOWN)}.",
            "Take one of each pair out, if an object was drawn twice.",
        )
    ]


def _lost(labels: NDArray[Any], path: Path, names: Mapping[int, str]) -> list[Problem]:
    """Return what was drawn and is not there."""
    there = set(np.unique(labels).tolist())
    lost = [name for i, name in names.items() if i not in there]
    if not lost:
        return []
    text = f"{len(lost)} of {len(names)} instances are empty, or wholly under later"
    return [
        Problem(
            "warning",
            path,
            f"{text} ones: {some_of(lost, SHOWN)}.",
            "Take them out, or draw them where they are to be seen.",
        )
    ]


def _odd(labels: NDArray[Any], path: Path, names: Mapping[int, str]) -> list[Problem]:
    from scipy import ndimage

    from autoseg.representations.maps import boxes, largest_pieces, numbered, sizes

    small, count = numbered(labels)
    if not count:
        return []
    old = np.unique(labels[labels > 0])
    apart = np.unique(small[(small > 0) & ~largest_pieces(small)])
    holes, around = [], boxes(small)
    for number, box in enumerate(around, 1):
        mask = small[box] == number
        if mask.any() and (ndimage.binary_fill_holes(mask) & (small[box] == 0)).any():
            holes.append(number)
    single = 1 + np.flatnonzero(sizes(small)[1:] == 1)  # the background is no object
    remarks = [
        (
            "are in several pieces",
            apart.tolist(),
            "Give each piece an id of its own, unless they are one object.",
        ),
        (
            "are of a single voxel",
            single.tolist(),
            "Erase them, if they are slips of the pen.",
        ),
        ("have holes", holes, "Fill them, if the objects have none."),
    ]
    problems = _background(small, old, path, names)
    problems += _slice_by_slice(small, around, path)
    for what, numbers, fix in remarks:
        if numbers:
            named = some_of(
                [_name(old[number - 1], names) for number in numbers], SHOWN
            )
            text = f"{len(numbers)} of {count} instances {what}: {named}."
            problems.append(Problem("warning", path, text, fix))
    top = int(old[-1])
    if not names and top in WRAPPED and len(old) == top:
        problems.append(
            Problem(
                "warning",
                path,
                f"It uses every id up to {top}, the largest of {WRAPPED[top]} bit: ids "
                "beyond may have wrapped and name two instances.",
                "Write the map with more bits.",
            )
        )
    return problems


def _slice_by_slice(
    small: NDArray[Any], around: Sequence[tuple[slice, ...]], path: Path
) -> list[Problem]:
    """Return that the slices of a volume seem to be labeled each by itself."""
    if small.ndim != 3 or len(around) < LEAST_SLICED:
        return []
    if any(box[0].stop - box[0].start > 1 for box in around):
        return []
    on, least = 0, 0
    for one, other in itertools.pairwise(small > 0):
        on += int(np.count_nonzero(one & other))
        least += int(min(np.count_nonzero(one), np.count_nonzero(other)))
    if 2 * on <= least or not least:
        return []
    return [
        Problem(
            "warning",
            path,
            f"Each of its {len(around)} instances is in one slice alone, and most go "
            "on in the next one under another id: slices seem to be labeled each by "
            "itself.",
            "Give an object one id in all of its slices; or save slices as images of "
            "their own, if they are meant to be learned so.",
        )
    ]


def _background(
    small: NDArray[Any], old: NDArray[Any], path: Path, names: Mapping[int, str]
) -> list[Problem]:
    """Return whether an id seems to be the background."""
    counts = np.bincount(small.ravel())
    largest = int(np.argmax(counts[1:])) + 1
    if counts[0] or 2 * counts[largest] <= small.size or len(old) == 1:
        return []
    return [
        Problem(
            "warning",
            path,
            f"No voxel is 0, and {_name(old[largest - 1], names)} fills "
            f"{100 * counts[largest] / small.size:.0f} %: is it the background?",
            "Give the background the value 0, unless it is an object.",
        )
    ]


def _name(instance: Any, names: Mapping[int, str]) -> str:
    return names.get(int(instance), str(int(instance)))
