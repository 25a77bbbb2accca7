"""Linear resampling by the plain call of torch, as nnU-Net's variants of that name.

What they compute, to the bit: `torch.nn.functional.interpolate`, linear with voxel
centers aligned, of all channels at once; with a thick axis linear in plane, and along
that axis the nearest voxel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry._separable import tensor_of

if TYPE_CHECKING:
    import torch

Array = NDArray[Any]
Shape = tuple[int, ...]

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
SCALE = 1000  # indicators are compared as float16 of up to this, as in nnU-Net


def resample(array: Array, new_shape: Shape, thick: int | None) -> Array:
    """Resample an array (C, *S).

    Parameters
    ----------
    array : ndarray of float, shape (C, *S)
        Computed in float32.
    new_shape : tuple of int, length D
        Spatial shape of the result.
    thick : int or None
        The thick axis, along which the nearest slice is taken.

    Returns
    -------
    ndarray of float32, shape (C, *new_shape)
        Float32 whatever the input's type.
    """
    values = tensor_of(array).float()
    if thick is None:
        return np.asarray(_linear(values, new_shape))
    plane = new_shape[:thick] + new_shape[thick + 1 :]
    count = values.shape[thick + 1]
    if tuple(np.delete(values.shape[1:], thick)) != plane:
        slices = values.movedim(thick + 1, 1)
        flat = _linear(slices.reshape(-1, *slices.shape[2:]), plane)
        values = flat.reshape(len(array), count, *plane).movedim(1, thick + 1)
    index = nearest_index(count, new_shape[thick])
    return np.take(values.numpy(), index, axis=thick + 1)


def resample_labels(labels: Array, new_shape: Shape, thick: int | None) -> Array:
    """Resample a label map by the arg-max of its labels' linear indicators.

    Parameters
    ----------
    labels : ndarray of int, shape S
        The label map.
    new_shape : tuple of int, length D
        Shape of the result.
    thick : int or None
        The thick axis, along which the nearest slice is taken.

    Returns
    -------
    ndarray, shape new_shape
        Of the dtype of ``labels``. Indicators are compared as float16; of equal ones
        the smallest label wins.
    """
    best = np.full(new_shape, -1, dtype=np.float16)
    winner = np.zeros(new_shape, dtype=labels.dtype)
    for value in np.unique(labels):
        indicator = (labels == value).astype(np.float32)[None] * SCALE
        score = resample(indicator, new_shape, thick)[0].astype(np.float16)
        winner[score > best] = value
        np.maximum(best, score, out=best)
    return winner


def nearest_index(size: int, new_size: int) -> NDArray[np.intp]:
    """Return which voxel torch takes for each new one in its mode "nearest-exact"."""
    import torch
    from torch.nn.functional import interpolate

    places = torch.arange(size, dtype=torch.float64)[None, None]
    nearest = interpolate(places, new_size, mode="nearest-exact")[0, 0]
    return nearest.numpy().astype(np.intp)


def _linear(values: torch.Tensor, new_shape: Shape) -> torch.Tensor:
    from torch.nn.functional import interpolate

    return interpolate(values[None], new_shape, mode=MODES[len(new_shape)])[0]
