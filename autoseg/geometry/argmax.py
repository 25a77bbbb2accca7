"""Resample whole network outputs, head after head, and decide on the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.geometry import _separable
from autoseg.geometry._decision import Argmax, Paint, Scratch
from autoseg.geometry.resample import (
    resample_outputs,
)
from autoseg.geometry.streaming import RowResampler, streams
from autoseg.spec.configuration import Resampling

Array = NDArray[Any]


def resample_argmax(
    heads: Iterable[Any],
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
    resampling: Resampling,
    *,
    painted: Sequence[int] | None = None,
    exact: bool = False,
) -> Array:
    """Resample whole heads and return the label of each voxel of the new grid.

    Parameters
    ----------
    heads : iterable of ndarray or Tensor, each of shape S
        Logits, one head after the other; none is kept.
    new_shape : sequence of int, length D
        Voxels afterwards.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after.
    resampling : Resampling
        Method, ``output_order`` and the rules of the thick axis.
    painted : sequence of int, length K, optional
        As in `RowResampler.decide`.
    exact : bool
        Use the plain library call.

    Returns
    -------
    ndarray of uint8 or int16, shape new_shape
        Number of the head, or the painted value: the same as from all heads at once.

    Raises
    ------
    UsageError
        If there are no heads.
    """
    rest = iter(heads)
    one = next(rest, None)
    if one is None:
        raise UsageError("there are no heads to decide between.")
    if streams(spacing, new_spacing, resampling) and not exact:
        grids = (one.shape, new_shape, spacing, new_spacing)
        rows = RowResampler(*grids, resampling)
        return rows.decide(chain([one], rest), 0, 0, rows.size, painted)
    choice = Argmax() if painted is None else Paint(painted)
    scratch = Scratch()
    for head in chain([one], rest):
        array = np.asarray(head)[None]
        resampled = resample_outputs(
            array, new_shape, spacing, new_spacing, resampling, exact
        )
        choice.next_head(resampled.shape[1:])
        values = _separable.tensor_of(resampled[0]).float()
        choice.see(values, slice(None), scratch)
    found: Array = choice.labels.numpy()
    return found
