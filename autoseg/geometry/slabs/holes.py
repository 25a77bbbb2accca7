"""The nonzero mask of an image that is not in memory, its holes filled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry import mapped
from autoseg.geometry.crop import nonzero
from autoseg.geometry.slabs.components import SLAB, Components

Array = NDArray[Any]


def nonzero_mask_of(array: Any) -> NDArray[np.bool_] | None:
    """Return where any channel is not 0, with holes filled, slab by slab.

    Parameters
    ----------
    array : ndarray or Windowed, shape (C, *S)
        An image that is in a file.

    Returns
    -------
    ndarray of bool, shape S, or None
        What `autoseg.geometry.crop.nonzero_mask` returns; in a file if it is large.
        None if no voxel is 0 in all channels.
    """
    dim = array.ndim - 1
    turn = mapped.file_turn(array, dim)
    ordered = turn.apply(array)
    mask = mapped.zeros(ordered.shape[1:], np.bool_)
    full = True
    for rows, part in mapped.in_rows(mask, SLAB):
        part[...] = nonzero(np.asarray(ordered[:, rows]))
        full = full and bool(part.all())
        mapped.let_go(array)
    if full:
        return None
    if dim == 3:
        fill(mask)
    return turn.undo(mask)


def fill(mask: NDArray[np.bool_]) -> None:
    """Set to true what no path of face neighbors outside of the mask leads out of.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        In 2-D or 3-D, in memory or in a file; changed in place, slab by slab.
    """
    components = Components(mask.ndim, diagonal=False)
    ends = [np.zeros(1, np.int64)]  # the mask itself is no hole
    for rows, part in mapped.in_rows(mask, SLAB):
        labels, mine = components.label(~part)
        sides = range(1, mask.ndim)
        faces = [labels.take(end, axis) for axis in sides for end in (0, -1)]
        faces += [labels[0]] if rows.start == 0 else []
        faces += [labels[-1]] if rows.stop == len(mask) else []
        seen = np.unique(np.concatenate([face.ravel() for face in faces]))
        ends.append(seen[seen > 0].astype(np.int64) + mine.start - 1)
    numbers = components.numbers()
    outside = np.zeros(int(numbers.max()) + 1, np.bool_)
    outside[numbers[np.concatenate(ends)]] = True
    hole = ~outside[numbers]
    if not hole.any():
        return
    again = Components(mask.ndim, diagonal=False)
    for _, part in mapped.in_rows(mask, SLAB):
        labels, mine = again.label(~part)
        part |= np.concatenate([[False], hole[mine]])[labels]
