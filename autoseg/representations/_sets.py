"""Objects that may overlap: from maps of probabilities to masks, each once.

Legend: S spatial shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import largest_piece
from autoseg.spec.arrays.overlaps import Mask

Array = NDArray[Any]


def from_probabilities(output: Array, inside: float) -> Mask | None:
    """Return where a map (*S) is over a threshold, the largest piece, in its box.

    Parameters
    ----------
    output : ndarray of float, shape S
        How likely each voxel is in the object.
    inside : float
        From which on it is; None: no voxel is.
    """
    there = output >= inside
    if not there.any():
        return None
    box = []
    for axis in range(there.ndim):
        others = tuple(other for other in range(there.ndim) if other != axis)
        ends = np.flatnonzero(there.any(axis=others))
        box.append(slice(int(ends[0]), int(ends[-1]) + 1))
    start = tuple(part.start for part in box)
    return largest_piece(Mask(start, there[tuple(box)]))


def firm(output: Array, mask: Mask) -> float:
    """Return the mean probability (*S) inside a mask: how firmly it is one."""
    return float(np.clip(output[mask.box][mask.inside].mean(), 0, 1))


def distinct(
    found: Sequence[tuple[Mask, float]], same: float
) -> list[tuple[Mask, float]]:
    """Return masks, the surest first, without those that are another one again.

    Parameters
    ----------
    found : sequence of (Mask, float)
        Masks, and how sure each of them is.
    same : float
        IoU over which two of them are one object.
    """
    kept: list[tuple[Mask, float]] = []
    for mask, score in sorted(found, key=lambda one: -one[1]):
        size = mask.size
        if all(not _is_same(mask, size, other, same) for other, _ in kept):
            kept.append((mask, score))
    return kept


def _is_same(mask: Mask, size: int, other: Mask, same: float) -> bool:
    both = mask.shared(other)
    return both > 0 and both > same * (size + other.size - both)
