"""The nonzero region of an image: find it, cut it out, put results back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import file_turn, let_go
from autoseg.spec.image import NONZERO

Array = NDArray[Any]

PIECE = 2**22  # voxels that are looked at at a time


def nonzero_mask(array: Array) -> NDArray[np.bool_]:
    """Return where any channel is not 0, with holes filled.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        An image.

    Returns
    -------
    ndarray of bool, shape S
        In 3-D, zeros that no path of face neighbors joins to the border count as
        nonzero. In 2-D nothing is filled: nnU-Net sees an image as a volume of one
        slice, in which every pixel lies at the border.
    """
    mask = nonzero(array)
    if mask.ndim < 3 or mask.all():
        return mask
    # Nothing outside the bounding box can be a hole, and its faces lead out of it.
    box = bounding_box(mask)
    mask[box] = fill_holes(mask[box])
    return mask


def nonzero(array: Array) -> NDArray[np.bool_]:
    """Return where any channel of an array (C, *S) is not 0, as bool of shape S."""
    mask: NDArray[np.bool_] = array[0] != 0
    for channel in array[1:]:
        mask |= channel != 0
    return mask


def crop_box(array: Array, crop: str) -> tuple[slice, ...]:
    """Return what is cut out of an image before it is normalized.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        An image, also one that is in a file.
    crop : str
        One of `autoseg.spec.image.CROPS`.

    Returns
    -------
    tuple of slice, length D
        The whole array with ``"none"``, and if all is 0.
    """
    box = nonzero_range(array) if crop == NONZERO else None
    return whole_box(array.shape[1:]) if box is None else box


def whole_box(shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the box that is all of an array of a shape."""
    return tuple(slice(0, size) for size in shape)


def hull(one: Sequence[slice], other: Sequence[slice]) -> tuple[slice, ...]:
    """Return the smallest box that holds two boxes."""
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )


def nonzero_range(array: Array) -> tuple[slice, ...] | None:
    """Return the bounding box of where any channel is not 0, piece by piece.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        An image, also one that is in a file.

    Returns
    -------
    tuple of slice, length D, or None
        None if all is 0.
    """
    turn = file_turn(array, array.ndim - 1)  # read in the order of its file
    array = turn.apply(array)
    shape = array.shape[1:]
    hits = [np.zeros(size, dtype=bool) for size in shape]
    rows = max(1, PIECE // math.prod(shape[1:]))
    for start in range(0, shape[0], rows):
        mask = nonzero(array[:, start : start + rows])
        let_go(array)
        for axis, hit in enumerate(hits):
            others = tuple(other for other in range(mask.ndim) if other != axis)
            place = slice(start, start + rows) if axis == 0 else slice(None)
            hit[place] |= mask.any(axis=others)
    if not hits[0].any():
        return None
    box = [slice(0, 0)] * len(shape)
    for number, axis in enumerate(turn.axes):
        along = hits[number][::-1] if number in turn.flips else hits[number]
        low, high = np.flatnonzero(along)[[0, -1]]
        box[axis] = slice(int(low), int(high) + 1)
    return tuple(box)


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its holes filled, as `scipy.ndimage.binary_fill_holes` does.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        In 2-D or 3-D.

    Returns
    -------
    ndarray of bool, shape S
        True also where no path of face neighbors outside the mask leads to the border.
    """
    import cc3d

    if not mask.size:
        return mask.copy()
    faces: Any = 6 if mask.ndim == 3 else 4
    regions = cc3d.connected_components(~mask, connectivity=faces)
    outside = np.zeros(int(regions.max()) + 1, dtype=bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            outside[np.take(regions, end, axis=axis).ravel()] = True
    outside[0] = False  # the mask itself
    filled: NDArray[np.bool_] = ~outside[regions]
    return filled


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the smallest box that holds every true voxel of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        In any number of dimensions.

    Returns
    -------
    tuple of slice, length D
        The whole array if no voxel is true.
    """
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        hit = np.flatnonzero(mask.any(axis=others))
        if not hit.size:
            return whole_box(mask.shape)
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box)


def paste(
    array: Array,
    box: Sequence[slice],
    shape: Sequence[int],
    fill: float | Sequence[float] = 0,
) -> Array:
    """Return a larger array that holds another at a box; undoes cropping.

    Parameters
    ----------
    array : ndarray, shape (*box) or (C, *box)
        What was computed inside the box.
    box : sequence of slice, length D
        Where it belongs.
    shape : sequence of int, length D
        Spatial shape of the result.
    fill : float or sequence of float, length C
        What stands outside the box; one value for all, or one for each channel.

    Returns
    -------
    ndarray, shape (*shape) or (C, *shape)
        Of the dtype of ``array``.
    """
    # Here, because it imports torch, which cropping does without.
    from acvl_utils.cropping_and_padding.bounding_boxes import insert_crop_into_image

    lead = array.shape[: array.ndim - len(box)]
    whole = np.zeros((*lead, *shape), dtype=array.dtype)  # takes no time
    if np.any(fill):
        whole[...] = np.reshape(fill, np.shape(fill) + (1,) * len(box))
    place = [
        list(part.indices(size)[:2]) for part, size in zip(box, shape, strict=True)
    ]
    pasted: Array = insert_crop_into_image(whole, array, place)
    return pasted
