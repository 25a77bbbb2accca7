"""Turns what belongs to an image the way that its picture is turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import in_rows
from autoseg.geometry.orientation import Turn, turn_to
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.image import Geometry

Array = NDArray[Any]

HEAD_UP = "LPS"  # ITK's standard: every patient lies the same way in every picture
SHOWN = 2**26  # voxels of an image that is shown as it is
THINNED = (
    2**23
)  # voxels at most that are left of a larger one: about as many as are seen


class Turned:
    """How an image is turned for a picture: medical volumes to ITK's standard (LPS).

    Of an image of more than `SHOWN` voxels only every second, third, ... voxel along an
    axis is kept: its picture has fewer pixels than that, and memory does not grow with
    it.

    Parameters
    ----------
    geometry : Geometry
        Of the image.

    Attributes
    ----------
    before : tuple of int, length D
        Shape of the image.
    steps : tuple of int, length D
        From one voxel that is kept to the next, along the turned axes.
    shape : tuple of int, length D
        Of the turned image.
    spacing : tuple of float, length D
        Of the turned image.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.before = geometry.shape
        shape, spacing = geometry.shape, geometry.spacing
        self.turn: Turn | None = None
        if geometry.dim == 3 and geometry.unit == "mm":
            self.turn = turn_to(geometry, HEAD_UP)
            shape = tuple(shape[axis] for axis in self.turn.axes)
            spacing = tuple(spacing[axis] for axis in self.turn.axes)
        self.steps = steps_for(shape, spacing)
        self.shape = _thinned(shape, self.steps)
        self.spacing = tuple(
            edge * step for edge, step in zip(spacing, self.steps, strict=True)
        )

    def array(self, array: Any) -> Array:
        """Turn an array of shape (..., *S), or one in a file: no more is read of it."""
        array = array if isinstance(array, Windowed) else np.asarray(array)
        turned = array if self.turn is None else self.turn.apply(array)
        return self._thin(turned) if max(self.steps) > 1 else np.asarray(turned)

    def points(self, points: Array) -> Array:
        """Turn points (L, D) in voxels."""
        if self.turn is not None:
            points = self.turn.apply_points(points, self.before)
        return points / np.array(self.steps) if max(self.steps) > 1 else points

    def _thin(self, array: Any) -> Array:
        if array.ndim > len(self.steps):
            return np.stack([self._thin(one) for one in array])
        first, *rest = (slice(None, None, step) for step in self.steps)
        kept = []
        for rows, part in in_rows(array):
            start = -rows.start % first.step  # rows are counted from the whole's first
            kept.append(np.array(part[(slice(start, None, first.step), *rest)]))
        return np.concatenate(kept)


def steps_for(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """Return which voxels of an image a picture keeps: every so many along an axis.

    Parameters
    ----------
    shape : sequence of int, length D
        Of the image.
    spacing : sequence of float, length D
        Edge of a voxel. Fine axes are thinned first, so that voxels become cubes.

    Returns
    -------
    tuple of int, length D
        1 throughout for images of up to `SHOWN` voxels.
    """
    steps = [1] * len(shape)
    if math.prod(shape) > SHOWN:
        while math.prod(_thinned(shape, steps)) > THINNED:
            long = [axis for axis, size in enumerate(shape) if steps[axis] < size]
            steps[min(long, key=lambda axis: steps[axis] * spacing[axis])] += 1
    return tuple(steps)


def _thinned(shape: Sequence[int], steps: Sequence[int]) -> tuple[int, ...]:
    return tuple(-(-size // step) for size, step in zip(shape, steps, strict=True))
