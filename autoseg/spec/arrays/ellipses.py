"""Ellipses that voxels tell of: a center, a symmetric root, and a level.

How far inside a place p is, is ``level - |root (p - center)|^2``. A voxel tells
D + D (D + 1) / 2 + 1 numbers about zero: where the center is, seen from it, how the
root differs from that of a ball of radius 1, and the level.

Legend: D axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def pairs(axes: int) -> tuple[list[int], list[int]]:
    """Return rows and columns of a symmetric matrix, its diagonal first."""
    pairs = [(i + off, i) for off in range(axes) for i in range(axes - off)]
    return [row for row, _ in pairs], [column for _, column in pairs]


def numbers(axes: int) -> int:
    """Return how many numbers tell of an ellipse."""
    return axes + axes * (axes + 1) // 2 + 1


def inside(told: Array, at: Array, places: Array) -> Array:
    """Return how far inside of an ellipse places are.

    Parameters
    ----------
    told : ndarray of float, shape (numbers,)
        By a voxel.
    at : ndarray of float, shape (D,)
        Where that voxel is, in the unit of what it tells.
    places : ndarray of float, shape (..., D)
        In the same unit.
    """
    axes = len(at)
    rows, columns = pairs(axes)
    root = np.eye(axes)
    root[rows, columns] += told[axes:-1]
    root[columns, rows] = root[rows, columns]
    away = (places - at - told[:axes]) @ root
    found: Array = told[-1] - (away**2).sum(-1)
    return found
