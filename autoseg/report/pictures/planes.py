"""Cuts through a volume that show what is labeled, with their physical size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MARGIN = 0.6  # around what is labeled, as a share of its size
LEAST_VIEW = 0.35  # of the image's edge, at least, is seen


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One plane of an image, cropped to what is worth looking at.

    ::

        axis 0 fixed: rows are axis 1 downward,  columns axis 2   (axial)
        axis 1 fixed: rows are axis 0 upward,    columns axis 2   (coronal)
        axis 2 fixed: rows are axis 0 upward,    columns axis 1   (sagittal)

    so that an image in ITK's standard orientation has head up and front up or left.

    Parameters
    ----------
    index : tuple of int or slice, length D
        What to cut out of an array of shape S.
    spacing : tuple of float, length 2
        Edge of a pixel along rows and columns.
    shape : tuple of int, length 2
        Pixels.
    flipped : bool
        Whether the first row comes last.
    through : bool
        Whether a volume's image is seen through its whole depth, the brightest voxel
        first, in place of one slice.
    """

    index: tuple[int | slice, ...]
    spacing: tuple[float, float]
    shape: tuple[int, int]
    flipped: bool
    through: bool = False

    @property
    def height(self) -> float:
        """Physical height."""
        return self.shape[0] * self.spacing[0]

    @property
    def width(self) -> float:
        """Physical width."""
        return self.shape[1] * self.spacing[1]

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge, for matplotlib; y points down."""
        return 0.0, self.width, self.height, 0.0

    def cut(self, array: Array) -> Array:
        """Return the plane of an array (S) or (C, *S); colors come last."""
        dim = len(self.index)
        if array.ndim > dim:
            colors = dim == 2 and len(array) >= 3
            array = np.moveaxis(array[:3], 0, -1) if colors else array[0]
        plane = self._brightest(array) if self.through else array[self.index]
        return plane[::-1] if self.flipped else plane

    def _brightest(self, array: Array) -> Array:
        """Return the largest value along the axis that the plane lies across."""
        across = tuple(a for a, i in enumerate(self.index) if not isinstance(i, slice))
        seen = tuple(i for i in self.index if isinstance(i, slice))
        return array.max(axis=across)[seen] if across else array[self.index]


def planes_of(labels: Array, spacing: tuple[float, ...]) -> tuple[Plane, ...]:
    """Return the planes to look at: one of a 2-D image, three of a volume.

    They go through the slices that show most of all labels, and are cropped to the
    labels with a margin.

    Parameters
    ----------
    labels : ndarray of int, shape S
        What to show.
    spacing : tuple of float, length D
        Edge of a voxel along each axis.

    Returns
    -------
    tuple of Plane
        Along axis 0, 1 and 2.
    """
    shape = labels.shape
    box = [_view(labels, axis) for axis in range(labels.ndim)]
    if labels.ndim == 2:
        return (_plane(tuple(box), (0, 1), spacing, flipped=False),)
    at = best_slices(labels)
    planes = []
    for axis in range(3):
        index: list[int | slice] = list(box)
        index[axis] = min(at[axis], shape[axis] - 1)
        rest = [other for other in range(3) if other != axis]
        planes.append(
            _plane(tuple(index), (rest[0], rest[1]), spacing, flipped=axis > 0)
        )
    return tuple(planes)


def best_slices(labels: Array) -> tuple[int, ...]:
    """Return the slice along each axis that shows most of all labels.

    Each label counts by the share of its largest cross-section that is in the slice, so
    that small structures are not lost behind large ones.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Label map; the middle is returned where nothing is above 0.

    Returns
    -------
    tuple of int, length D
        Indices.
    """
    values = [int(value) for value in np.unique(labels) if value > 0]
    found = []
    for axis in range(labels.ndim):
        others = tuple(other for other in range(labels.ndim) if other != axis)
        worth = np.zeros(labels.shape[axis])
        for value in values:
            areas = np.count_nonzero(labels == value, axis=others)
            worth += areas / areas.max()
        best = np.flatnonzero(worth >= worth.max() * (1 - 1e-9))
        found.append(int(best[len(best) // 2]))  # the middle one of equals
    return tuple(found)


def _view(labels: Array, axis: int) -> slice:
    """Return the part of an axis around what is labeled."""
    size = labels.shape[axis]
    others = tuple(other for other in range(labels.ndim) if other != axis)
    there = np.flatnonzero(np.any(labels > 0, axis=others))
    if not len(there):
        return slice(0, size)
    low, high = int(there[0]), int(there[-1]) + 1
    length = max((high - low) * (1 + 2 * MARGIN), LEAST_VIEW * size)
    middle = (low + high) / 2
    start = max(0, int(middle - length / 2))
    stop = min(size, int(np.ceil(middle + length / 2)))
    return slice(start, stop)


def _plane(
    index: tuple[int | slice, ...],
    axes: Sequence[int],
    spacing: tuple[float, ...],
    flipped: bool,
) -> Plane:
    lengths = [part.stop - part.start for part in index if isinstance(part, slice)]
    return Plane(
        index=index,
        spacing=(spacing[axes[0]], spacing[axes[1]]),
        shape=(lengths[0], lengths[1]),
        flipped=flipped,
    )
