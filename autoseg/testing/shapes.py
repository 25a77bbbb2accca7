"""Maps of ids for contracts and tests, made by construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[Any]


def cells(shape: tuple[int, int] = (48, 56), edge: int = 8) -> Labels:
    """Return squares side by side that touch, each with an id of its own."""
    grid = np.indices(shape) // edge
    labels = grid[0] * 100 + grid[1] + 1
    hollow = (grid.sum(0) % 3) == 2  # every third is background
    return np.where(hollow, 0, labels).astype(np.int32)


def balls(
    shape: Sequence[int],
    spacing: Sequence[float],
    radius: float,
    centers: Sequence[Sequence[float]],
) -> Labels:
    """Return balls in units of length; where two meet, the nearer one has the voxel."""
    places = np.indices(shape).reshape(len(shape), -1).T * np.asarray(spacing)
    away = np.stack([np.linalg.norm(places - c, axis=1) for c in centers])
    nearest = away.argmin(0)
    labels = np.where(away.min(0) <= radius, nearest + 1, 0)
    return labels.reshape(shape).astype(np.int32)


def same_objects(found: Labels, wanted: Labels, threshold: float = 0.9) -> bool:
    """Return whether each object is found once, with an IoU over the threshold."""
    found_ids, wanted_ids = np.unique(found[found > 0]), np.unique(wanted[wanted > 0])
    if len(found_ids) != len(wanted_ids):
        return False
    for number in wanted_ids:
        mask = wanted == number
        partners = np.unique(found[mask])
        ious = [
            (mask & (found == p)).sum() / (mask | (found == p)).sum()
            for p in partners
            if p > 0
        ]
        if not ious or max(ious) <= threshold:
            return False
    return True


def lopsided(axes: int) -> Labels:
    """Return two boxes of odd edges, so that no middle is a tie, off the center."""
    labels = np.zeros((19, 23, 21)[:axes], np.int32)
    labels[(slice(2, 9), slice(3, 14), slice(4, 13))[:axes]] = 1
    labels[(slice(10, 17), slice(6, 21), slice(5, 16))[:axes]] = 2
    return labels
