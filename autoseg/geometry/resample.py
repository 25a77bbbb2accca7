"""Bring images, annotations and network outputs from one grid to another.

Two ways with the same values: the plain call of the library (``exact=True``), which
gives nnU-Net's numbers to the bit, and the default, which applies the same operator
one axis after the other as small matrix products (see `_separable`), within float
rounding of it and several times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError, UsageError
from autoseg.geometry import _interpolation, _labels, _library, _separable
from autoseg.geometry._operators import Operator, operator_of
from autoseg.geometry.mapped import is_mapped, zeros
from autoseg.spec.configuration import Resampling

Array = NDArray[Any]

MOST_GROWTH = 1000.0  # of voxels by resampling: more is a mistaken unit or spacing
METHODS = ("spline", "linear", "none")
LIKE_LIBRARY = _labels.Rule(_library.nearest_index, ties_to_nearest=True)
LIKE_TORCH = _labels.Rule(
    _interpolation.nearest_index, ties_to_nearest=False, scale=_interpolation.SCALE
)


def resampled_shape(
    shape: Sequence[int], spacing: Sequence[float], new_spacing: Sequence[float]
) -> tuple[int, ...]:
    """Return how many voxels each axis has at another spacing.

    Parameters
    ----------
    shape : sequence of int, length D
        Voxels now.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel now and then, in one unit.

    Returns
    -------
    tuple of int, length D
        ``spacing / new_spacing * shape``, rounded half to even as nnU-Net does, and at
        least 1.
    """
    if not len(shape) == len(spacing) == len(new_spacing):
        raise UsageError(
            f"shape {tuple(shape)}, spacing {tuple(spacing)} and new spacing "
            f"{tuple(new_spacing)} must have as many axes."
        )
    return tuple(
        max(1, round(float(old) / float(new) * int(size)))
        for size, old, new in zip(shape, spacing, new_spacing, strict=True)
    )


def separate_axis(
    spacing: Sequence[float], new_spacing: Sequence[float], resampling: Resampling
) -> int | None:
    """Return the thick axis that is resampled on its own, or None.

    Parameters
    ----------
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after.
    resampling : Resampling
        ``separate_thick`` and ``threshold`` decide.

    Returns
    -------
    int or None
        The axis of the largest of the old spacings if it is more than ``threshold``
        times the smallest, else of the new ones if those are that uneven. None if
        several axes share the largest spacing, and in 2-D.

    Notes
    -----
    The rule of nnU-Net (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z): along an
    axis much coarser than the others, cubic interpolation invents structure.
    """
    if len(spacing) < 3 or resampling.separate_thick is False:
        return None
    for candidate in (spacing, new_spacing):
        uneven = max(candidate) / min(candidate) > resampling.threshold
        if uneven or resampling.separate_thick:
            largest = max(candidate)
            thick = [axis for axis, edge in enumerate(candidate) if largest / edge == 1]
            return thick[0] if len(thick) == 1 else None
    return None


def resample_image(
    array: Array,
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
    resampling: Resampling,
    exact: bool = False,
) -> Array:
    """Resample an image.

    Parameters
    ----------
    array : ndarray of float, shape (C, *S)
        The image.
    new_shape : sequence of int, length D
        Voxels of the new grid, which covers the same space.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after; they decide about the thick axis only.
    resampling : Resampling
        Method and orders.
    exact : bool
        Use the plain library call.

    Returns
    -------
    ndarray, shape (C, *new_shape)
        Of the dtype of ``array`` (float32 by the method ``"linear"``), within each
        channel's range.
    """
    way = Way(resampling, resampling.method, resampling.image_order)
    return _resample(array, new_shape, spacing, new_spacing, way, exact)


def resample_outputs(
    array: Array,
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
    resampling: Resampling,
    exact: bool = False,
) -> Array:
    """Resample network outputs; as `resample_image`, with ``output_order``.

    Parameters
    ----------
    array : ndarray of float, shape (K, *S)
        The outputs, all heads.
    new_shape : sequence of int, length D
        Voxels of the new grid, which covers the same space.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after.
    resampling : Resampling
        Method and orders.
    exact : bool
        Use the plain library call.

    Returns
    -------
    ndarray, shape (K, *new_shape)
        Of the dtype of ``array`` (float32 by the method ``"linear"``).
    """
    way = way_of_outputs(resampling)
    return _resample(array, new_shape, spacing, new_spacing, way, exact)


def _resample(
    array: Array,
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
    way: Way,
    exact: bool,
) -> Array:
    new_shape = tuple(int(size) for size in new_shape)
    if _stays(array.shape[1:], new_shape, way.method):
        return array
    thick = separate_axis(spacing, new_spacing, way.resampling)
    if exact and way.method == "linear":
        return _interpolation.resample(array, new_shape, thick)
    if exact:
        return _library.resample(array, new_shape, way.order, thick, way.thick_order)
    result = _room((len(array), *new_shape), way.dtype(array.dtype), is_mapped(array))
    operators = way.operators(array.shape[1:], new_shape, thick)
    _separable.resample(array, operators, result, clip=way.order > 1, thick=thick)
    return result


def _room(shape: tuple[int, ...], dtype: np.dtype[Any], in_file: bool) -> Array:
    """Return an array to be filled; of what is in a file itself in one, if large."""
    return zeros(shape, dtype) if in_file else np.empty(shape, dtype)


@dataclass(frozen=True)
class Way:
    """Which of a plan's ways of resampling: that of images or that of outputs.

    Parameters
    ----------
    resampling : Resampling
        Of the plan.
    method : str
        One of `METHODS`.
    spline_order : int
        Where the method is ``"spline"``.
    """

    resampling: Resampling
    method: str
    spline_order: int

    @property
    def order(self) -> int:
        """In plane, or along all axes."""
        return 1 if self.method == "linear" else self.spline_order

    @property
    def thick_order(self) -> int:
        """Along a thick axis."""
        return 0 if self.method == "linear" else self.resampling.thick_order

    def dtype(self, given: np.dtype[Any]) -> np.dtype[Any]:
        """Return the type of the result; torch's interpolation gives float32."""
        return np.dtype(np.float32) if self.method == "linear" else given

    def operators(
        self, shape: Sequence[int], new_shape: Sequence[int], thick: int | None
    ) -> list[Operator]:
        """Return the operator of each axis."""
        library = _interpolation if self.method == "linear" else _library
        orders = [self.order] * len(shape)
        if thick is not None:
            orders[thick] = self.thick_order
        return [
            operator_of(size, new_size, order, library.nearest_index)
            for size, new_size, order in zip(shape, new_shape, orders, strict=True)
        ]


def way_of_outputs(resampling: Resampling) -> Way:
    """Return how a plan resamples outputs, for those who do it piece by piece."""
    method = resampling.output_method or resampling.method
    if resampling.output_separate_thick is not None:
        apart = resampling.output_separate_thick
        resampling = replace(resampling, separate_thick=apart)
    return Way(resampling, method, resampling.output_order)


def _stays(shape: Sequence[int], new_shape: Sequence[int], method: str) -> bool:
    """Return whether an array stays as it is; check what was asked for."""
    if method not in METHODS:
        raise PlanError(
            f"resampling method {method!r} is none of {', '.join(METHODS)}."
        )
    if len(shape) != len(new_shape) or min((*shape, *new_shape)) < 1:
        raise UsageError(f"shape {tuple(shape)} cannot become {tuple(new_shape)}.")
    return method == "none" or tuple(shape) == tuple(new_shape)


def resample_labels(
    labels: Array,
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
    resampling: Resampling,
    exact: bool = False,
) -> Array:
    """Resample a label map: the label whose resampled 0/1 indicator is largest wins.

    Parameters
    ----------
    labels : ndarray of int, or Windowed, shape S
        The label map; one that is in a file is resampled some rows at a time, by the
        default way.
    new_shape : sequence of int, length D
        Voxels of the new grid, which covers the same space.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after.
    resampling : Resampling
        Method and ``annotation_order``.
    exact : bool
        Use the plain library call.

    Returns
    -------
    ndarray, shape new_shape
        Of the dtype of ``labels``. Where labels share the largest indicator, the
        nearest voxel's label wins if it is one of them, else the smallest of them; the
        method ``"linear"`` always takes the smallest.
    """
    new_shape = tuple(int(size) for size in new_shape)
    method = resampling.annotation_method or resampling.method
    if _stays(labels.shape, new_shape, method):
        return labels
    thick = separate_axis(spacing, new_spacing, resampling)
    if method == "linear":
        if exact:
            labels = np.asarray(labels)
            return _interpolation.resample_labels(labels, new_shape, thick)
        return _labels.resample(labels, new_shape, thick, LIKE_TORCH)
    order = resampling.annotation_order
    if order == 1 and not exact:
        return _labels.resample(labels, new_shape, thick, LIKE_LIBRARY)
    return _library.resample_labels(np.asarray(labels), new_shape, order, thick)
