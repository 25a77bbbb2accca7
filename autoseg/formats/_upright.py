"""Pictures as viewers show them: the orientation that EXIF and TIFF's tag 274 give.

The numbers are those of the TIFF standard, section Orientation; what they do to an
array is what Pillow's ``ImageOps.exif_transpose`` does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

TAG = 274
TURNED = (5, 6, 7, 8)  # rows become columns
KNOWN = range(2, 9)  # 1 is as it is stored


def upright(array: Array, orientation: int) -> Array:
    """Return a view of an array (..., Y, X) as viewers show it.

    Parameters
    ----------
    array : ndarray, shape (..., Y, X)
        As stored.
    orientation : int
        1 to 8; any other number counts as 1.

    Returns
    -------
    ndarray, shape (..., Y, X) or (..., X, Y)
        A view.
    """
    if orientation in TURNED:
        array = array.swapaxes(-1, -2)
    if orientation in (3, 4, 7, 8):
        array = np.flip(array, -2)
    if orientation in (2, 3, 6, 7):
        array = np.flip(array, -1)
    return array


def upright_axes(values: tuple[Any, ...], orientation: int) -> tuple[Any, ...]:
    """Return what belongs to axes (..., Y, X), such as a shape, for upright ones."""
    if orientation in TURNED:
        return (*values[:-2], values[-1], values[-2])
    return values


def upright_note(orientation: int) -> tuple[str, ...]:
    """Return the note about a picture that is turned; none of one that is not."""
    if orientation not in KNOWN:
        return ()
    return (
        f"its EXIF orientation is {orientation}: it is read turned, as viewers show it,"
        " and what is drawn on it must be drawn so",
    )
