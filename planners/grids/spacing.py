"""The grid that images are resampled to, and the order of the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.fingerprint import Fingerprint

ANISOTROPY = 3  # a thick axis: this many times coarser and shorter than the others
THICK_PERCENTILE = 10  # spacing along a thick axis: finer than the median
LOWRES_SHARE = 0.25  # a patch must see this much of the median case, or 3d_lowres is
LOWRES_GAIN = 2  # ... planned, unless it has hardly fewer voxels
LOWRES_STEP = 1.03  # how much coarser in each attempt at a low-resolution grid


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A target grid, in the order of the image's own axes.

    Parameters
    ----------
    spacing : tuple of float, length D
        Edge of a voxel after resampling.
    transpose : tuple of int, length D
        The axes as the network sees them: the coarsest first.
    median_shape : tuple of float, length D
        Median shape of the cases after resampling; halves for an even number.
    thick : bool
        Whether the coarsest axis got a finer spacing than the median.
    """

    spacing: tuple[float, ...]
    transpose: tuple[int, ...]
    median_shape: tuple[float, ...]
    thick: bool

    def ordered(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return values of the image's axes in the network's order."""
        return tuple(values[axis] for axis in self.transpose)


def choose_grid(
    fingerprint: Fingerprint, fixed: Sequence[float | None] | None = None
) -> Grid:
    """Return the full-resolution grid of a data set.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    fixed : sequence of (float or None), length D, optional
        Spacing that the user wants, in the order of the image's axes; None: decide.

    Returns
    -------
    Grid
        Median spacing on each axis; along an axis that is more than three times
        coarser and shorter than the others, its 10th percentile.
    """
    spacings = np.asarray(fingerprint.spacings, dtype=np.float64)
    shapes = np.asarray(fingerprint.shapes, dtype=np.float64)
    target, thick = _target_spacing(spacings, shapes)
    if fixed is not None:
        target = np.array(
            [t if f is None else f for t, f in zip(target, fixed, strict=True)]
        )
        thick = False
    # Two-dimensional images keep their axes: there is no thick one to put first.
    worst = int(np.argmax(target)) if fingerprint.dim > 2 else 0
    others = [axis for axis in range(fingerprint.dim) if axis != worst]
    median = np.median(np.rint(spacings / target * shapes), axis=0)
    return Grid(
        spacing=tuple(target.tolist()),
        transpose=(worst, *others),
        median_shape=tuple(np.maximum(median, 1).tolist()),
        thick=thick,
    )


def _target_spacing(
    spacings: NDArray[np.float64], shapes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], bool]:
    target = np.percentile(spacings, 50, axis=0)
    if len(target) < 3:
        return target, False
    sizes = np.percentile(shapes, 50, axis=0)
    worst = int(np.argmax(target))
    others = [axis for axis in range(len(target)) if axis != worst]
    coarsest_other = max(target[others])
    coarse = target[worst] > ANISOTROPY * coarsest_other
    short = sizes[worst] * ANISOTROPY < min(sizes[others])
    if not (coarse and short):
        return target, False
    finer = np.percentile(spacings[:, worst], THICK_PERCENTILE)
    # It stays the coarsest axis, if by a hair.
    target[worst] = finer if finer >= coarsest_other else coarsest_other + 1e-5
    return target, True


def coarser(spacing: Sequence[float]) -> tuple[float, ...]:
    """Return the next candidate for a low-resolution grid.

    Axes less than half as coarse as the coarsest go first, all of them after that.
    """
    coarsest = max(spacing)
    fine = [coarsest / step > 2 for step in spacing]
    if not any(fine):
        fine = [True] * len(spacing)
    return tuple(
        step * LOWRES_STEP if is_fine else step
        for step, is_fine in zip(spacing, fine, strict=True)
    )


def voxels(shape: Sequence[float]) -> float:
    """Return the number of voxels of a (median) shape."""
    return float(math.prod(shape))
