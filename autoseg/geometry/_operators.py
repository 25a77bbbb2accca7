"""The library's resampling along one axis, as small matrices.

Spline resampling is linear in the values and separable: along each axis it is one
matrix, which is found by handing the library's own operator unit impulses. So the
treatment of borders is the library's, whatever it is. A row of the matrix decays by
0.27 per voxel away from its center (Unser 1999, doi:10.1109/79.799930), so impulses
that are far apart share one call, and only a band of the matrix is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PERIOD = 64  # distance of impulses in one call: 0.27 ** 32 is below 1e-18
SMALLEST = 1e-7  # weights below the rounding of float32 are dropped
BLOCK = 32  # rows of one dense product: fastest of 8 to 256 on a CPU


@dataclass(frozen=True, eq=False)
class Select:
    """Take one voxel for each voxel of the new axis.

    Parameters
    ----------
    index : ndarray of int, shape (M,)
        Which one, not descending.
    """

    index: NDArray[np.intp]

    @property
    def size(self) -> int:
        """Voxels of the new axis, M."""
        return len(self.index)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first old voxel that new ones need, and the first beyond."""
        return int(self.index[start]), int(self.index[stop - 1]) + 1


@dataclass(frozen=True, eq=False)
class Banded:
    """A matrix from N old to M new voxels of an axis, of which each row is short.

    Parameters
    ----------
    first : ndarray of int, shape (M,)
        Column of each row's first weight, not descending.
    weights : ndarray of float64, shape (M, K)
        The K weights of each row from there on.
    old_size : int
        Voxels of the old axis, N.
    """

    first: NDArray[np.intp]
    weights: NDArray[np.float64]
    old_size: int

    @property
    def size(self) -> int:
        """Voxels of the new axis, M."""
        return len(self.first)

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first old voxel that new ones need, and the first beyond."""
        width = self.weights.shape[1]
        return int(self.first[start]), int(self.first[stop - 1]) + width


Operator = Select | Banded | None  # None: the axis stays as it is


def operator_of(
    size: int,
    new_size: int,
    order: int,
    nearest: Callable[[int, int], NDArray[np.intp]],
) -> Operator:
    """Return the resampling of an axis.

    Parameters
    ----------
    size, new_size : int
        Voxels before and after; both grids cover the same length.
    order : int
        Of the spline, 0 to 3.
    nearest : callable
        From both sizes to the nearest old voxel of each new one, for order 0.

    Returns
    -------
    Select, Banded or None
        None if the size stays.
    """
    if size == new_size:
        return None
    if order == 0:
        return Select(nearest(size, new_size))
    return _banded(size, new_size, order)


@lru_cache(maxsize=256)
def _banded(size: int, new_size: int, order: int) -> Banded:
    from scipy import ndimage

    period = min(size, PERIOD)
    response = np.empty((new_size, period))
    for phase in range(period):
        impulses = np.zeros(size)
        impulses[phase::period] = 1.0
        response[:, phase] = ndimage.zoom(
            impulses, new_size / size, order=order, mode="nearest", grid_mode=True
        )
    center = np.floor((np.arange(new_size) + 0.5) * (size / new_size) - 0.5)
    center = np.clip(center, 0, size - 1).astype(np.intp)
    start = np.clip(center - period // 2 + 1, 0, size - period)
    columns = start[:, None] + np.arange(period)
    window = np.take_along_axis(response, columns % period, axis=1)
    return _trimmed(start, center, window, size)


def _trimmed(
    start: NDArray[np.intp], center: NDArray[np.intp], window: Array, size: int
) -> Banded:
    """Cut off what is negligible, to one width and one place around the center."""
    relevant = np.abs(window) > SMALLEST
    lowest = start + relevant.argmax(axis=1)
    highest = start + window.shape[1] - 1 - relevant[:, ::-1].argmax(axis=1)
    left, right = int((center - lowest).max()), int((highest - center).max())
    width = min(size, left + right + 1)
    first = np.clip(center - left, 0, size - width)
    columns = (first - start)[:, None] + np.arange(width)
    weights = np.take_along_axis(window, columns, axis=1)
    weights[np.abs(weights) <= SMALLEST] = 0.0
    return Banded(first=first, weights=weights, old_size=size)


def blocks_of(operator: Banded) -> Iterator[tuple[int, int]]:
    """Yield the rows of each dense block of a matrix: the first, and one beyond."""
    for start in range(0, operator.size, BLOCK):
        yield start, min(start + BLOCK, operator.size)


@lru_cache(maxsize=4096)
def dense(operator: Banded, start: int, stop: int) -> Any:
    """Return rows of a matrix, of their columns those that `Banded.needs` names.

    Parameters
    ----------
    operator : Banded
        The matrix.
    start, stop : int
        First row, and one beyond.

    Returns
    -------
    Tensor of float32, shape (stop - start, columns)
        On the CPU; not to be changed.
    """
    import torch

    low, high = operator.needs(start, stop)
    part = np.zeros((stop - start, high - low), dtype=np.float32)
    columns = operator.first[start:stop, None] - low
    columns = columns + np.arange(operator.weights.shape[1])
    np.put_along_axis(part, columns, operator.weights[start:stop], axis=1)
    return torch.from_numpy(part)
