"""Masks on a small grid, whatever their size: how far each point is inside."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def shrunk(inside: NDArray[np.bool_], edge: int) -> NDArray[np.float32]:
    """Return a mask in a box as its shares in the cells of a grid.

    Parameters
    ----------
    inside : ndarray of bool, shape (*box)
        The mask.
    edge : int
        Cells along each axis, E.

    Returns
    -------
    ndarray of float32, shape (E, ..., E)
        0 to 1.
    """
    found: Array = inside.astype(np.float32)
    for axis, size in enumerate(inside.shape):
        found = np.moveaxis(
            np.tensordot(_shares(size, edge), found, (1, axis)), 0, axis
        )
    return found


def enlarged(small: Array, size: Sequence[int]) -> NDArray[np.float32]:
    """Return a small grid's values at the voxels of a box, by linear interpolation.

    Parameters
    ----------
    small : ndarray of float, shape (E, ..., E)
        See `shrunk`.
    size : sequence of int
        Of the box.
    """
    found = small.astype(np.float32)
    for axis, length in enumerate(size):
        weights = _between(length, small.shape[axis])
        found = np.moveaxis(np.tensordot(weights, found, (1, axis)), 0, axis)
    return found


def _shares(size: int, edge: int) -> NDArray[np.float32]:
    """Return what part of each of E cells lies in each of so many voxels, (E, size)."""
    ends = np.linspace(0, size, edge + 1)
    low, high = ends[:-1, None], ends[1:, None]
    first = np.arange(size)
    both = np.minimum(high, first + 1) - np.maximum(low, first)
    shares: NDArray[np.float32] = np.maximum(both, 0) / (size / edge)
    return shares.astype(np.float32)


@functools.lru_cache(maxsize=256)
def _between(size: int, edge: int) -> NDArray[np.float32]:
    """Return the weights (size, E) of cells at the middles of voxels."""
    at = np.clip((np.arange(size) + 0.5) * edge / size - 0.5, 0, edge - 1)
    low = np.minimum(at.astype(int), max(0, edge - 2))
    weights = np.zeros((size, edge), np.float32)
    rows = np.arange(size)
    weights[rows, low] = 1 - (at - low)
    if edge > 1:
        weights[rows, low + 1] += at - low
    weights.flags.writeable = False  # others are given it, too
    return weights
