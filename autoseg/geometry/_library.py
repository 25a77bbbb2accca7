"""Resampling by the plain library call: slow, and the reference for everything else.

What nnU-Net computes, to the bit: `skimage.transform.resize` in float64 with edge
values beyond the border and clipping to the input's range, for each channel alone; with
a thick axis, slice by slice, and then the nearest slice along that axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Shape = tuple[int, ...]


def resample(
    array: Array, new_shape: Shape, order: int, axis: int | None, thick_order: int
) -> Array:
    """Resample each channel of an array (C, *S) with splines of an order.

    Parameters
    ----------
    array : ndarray of float, shape (C, *S)
        Any float type; computed in float64.
    new_shape : tuple of int, length D
        Spatial shape of the result.
    order : int
        Of the spline, in plane if there is a thick axis.
    axis : int or None
        The thick axis, handled on its own.
    thick_order : int
        Of the spline along the thick axis.

    Returns
    -------
    ndarray, shape (C, *new_shape)
        Of the dtype of ``array``.
    """
    result = np.empty((len(array), *new_shape), dtype=array.dtype)
    for channel, resampled in zip(array, result, strict=True):
        values = channel.astype(np.float64)
        if axis is None:
            resampled[...] = resize(values, new_shape, order)
            continue
        in_plane = _slice_by_slice(
            values, new_shape, axis, lambda part, shape: resize(part, shape, order)
        )
        resampled[...] = along_thick_axis(in_plane, axis, new_shape[axis], thick_order)
    return result


def resize(values: Array, new_shape: Shape, order: int) -> Array:
    """Return scikit-image's resize of float64 values, without anti-aliasing."""
    from skimage.transform import resize as library_resize

    resized: Array = library_resize(
        values, new_shape, order, mode="edge", anti_aliasing=False
    )
    return resized


def _slice_by_slice(
    values: Array,
    new_shape: Shape,
    axis: int,
    function: Callable[[Array, Shape], Array],
) -> Array:
    """Apply a function of a slice and its new shape to each slice along an axis."""
    plane = new_shape[:axis] + new_shape[axis + 1 :]
    slices = [function(part, plane) for part in np.moveaxis(values, axis, 0)]
    return np.stack(slices, axis=axis)


def along_thick_axis(values: Array, axis: int, size: int, order: int) -> Array:
    """Resample along one axis with voxel centers aligned, edge values beyond."""
    from scipy import ndimage

    if values.shape[axis] == size:
        return values
    if order == 0:
        return np.take(values, nearest_index(values.shape[axis], size), axis=axis)
    zoom = [1.0] * values.ndim
    zoom[axis] = size / values.shape[axis]
    resampled: Array = ndimage.zoom(
        values, zoom, order=order, mode="nearest", grid_mode=True
    )
    return resampled


def nearest_index(size: int, new_size: int) -> NDArray[np.intp]:
    """Return which voxel of an axis is nearest to each voxel of its new grid."""
    from scipy import ndimage

    centers = size / new_size * (np.arange(new_size) + 0.5) - 0.5
    nearest = ndimage.map_coordinates(
        np.arange(size, dtype=np.float64), centers[None], order=0, mode="nearest"
    )
    result: NDArray[np.intp] = nearest.astype(np.intp)
    return result


def resample_labels(
    labels: Array, new_shape: Shape, order: int, axis: int | None
) -> Array:
    """Resample a label map by the arg-max of its labels' indicators.

    Parameters
    ----------
    labels : ndarray of int, shape S
        The label map.
    new_shape : tuple of int, length D
        Shape of the result.
    order : int
        Of the spline, in plane if there is a thick axis.
    axis : int or None
        The thick axis, along which the nearest slice is taken.

    Returns
    -------
    ndarray, shape new_shape
        Of the dtype of ``labels``.
    """
    if axis is None:
        return argmax_of_indicators(labels, new_shape, order)
    in_plane = _slice_by_slice(
        labels, new_shape, axis, lambda part, to: argmax_of_indicators(part, to, order)
    )
    return along_thick_axis(in_plane, axis, new_shape[axis], 0)


def argmax_of_indicators(labels: Array, new_shape: Shape, order: int) -> Array:
    """Resize each label's indicator; keep the largest, and of equals the nearest.

    The running maximum holds one indicator at a time, whatever the number of labels.
    """
    values = np.unique(labels)
    if len(values) == 1:
        return np.full(new_shape, values[0], dtype=labels.dtype)
    nearest = resize(labels.astype(np.float64), new_shape, 0).astype(labels.dtype)
    if order == 0:
        return nearest
    best = np.full(new_shape, -np.inf)
    winner = np.empty(new_shape, dtype=labels.dtype)
    nearest_wins = np.zeros(new_shape, dtype=bool)
    for value in values:
        score = resize((labels == value).astype(np.float64), new_shape, order)
        is_nearest = nearest == value
        ahead = score > best
        nearest_wins = np.where(
            ahead, is_nearest, nearest_wins | (is_nearest & (score == best))
        )
        winner[ahead] = value
        np.maximum(best, score, out=best)
    return np.where(nearest_wins, nearest, winner)
