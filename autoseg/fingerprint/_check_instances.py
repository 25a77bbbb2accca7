"""What is odd about a map of ids, though it can be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.fingerprint._problem import Problem

SHOWN = 8  # ids that a message lists
WRAPPED = {255: "8", 65_535: "16"}


def instance_problems(labels: NDArray[Any], path: Path) -> list[Problem]:
    """Return what a person should look at in a map of ids.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids.
    path : Path
        Its file.

    Returns
    -------
    list of Problem
        Warnings: ids in several pieces, instances of one voxel, instances with holes,
        and ids that end where a type does.
    """
    from scipy import ndimage

    from autoseg.representations._maps import boxes, largest_pieces, numbered, sizes

    small, count = numbered(labels)
    if not count:
        return []
    old = np.unique(labels[labels > 0])
    apart = np.unique(small[(small > 0) & ~largest_pieces(small)])
    holes = []
    for number, box in enumerate(boxes(small), 1):
        mask = small[box] == number
        if mask.any() and (ndimage.binary_fill_holes(mask) & (small[box] == 0)).any():
            holes.append(number)
    single = np.flatnonzero(sizes(small) == 1)
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
    problems = []
    for what, numbers, fix in remarks:
        if numbers:
            named = _some([int(old[number - 1]) for number in numbers])
            text = f"{len(numbers)} of {count} instances {what}: {named}."
            problems.append(Problem("warning", path, text, fix))
    top = int(old[-1])
    if top in WRAPPED and len(old) == top:
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


def _some(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:SHOWN]))
    return shown if len(ids) <= SHOWN else f"{shown}, ..."
