"""From outlines to pixels.

An outline has corners (x, y); the first pixel covers 0 to 1 along each axis, so its
middle is 0.5. A pixel is inside if its middle is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.instancefiles.readers._kind import Places

Ring = Sequence[Sequence[float]]
LEAST = 3  # corners of an outline
NOT_FINITE = "a corner is no finite number"


def ring_places(ring: Any, shape: tuple[int, int]) -> Places:
    """Return the pixels inside one outline.

    Parameters
    ----------
    ring : sequence of (x, y)
        Its corners; the first may be repeated at the end.
    shape : tuple of int
        (H, W); what lies outside is left out.

    Returns
    -------
    tuple of ndarray
        Rows and columns.

    Raises
    ------
    ValueError
        If it has fewer than three corners, or one that is no number.
    """
    from skimage.draw import polygon

    corners = np.asarray(ring, dtype=float)
    if corners.ndim != 2 or corners.shape[1] < 2 or len(corners) < LEAST:
        raise ValueError("a polygon needs x and y of three corners or more")
    if not np.isfinite(corners[:, :2]).all():
        raise ValueError(NOT_FINITE)
    x, y = corners[:, :2].T - 0.5
    rows, columns = polygon(y, x, shape)
    return rows, columns


def point_places(point: Any, shape: tuple[int, int]) -> Places:
    """Return the pixel that a point lies in.

    Parameters
    ----------
    point : sequence of float
        Its x and y.
    shape : tuple of int
        (H, W).
    """
    at = np.asarray(point, dtype=float).ravel()[:2]
    if len(at) < 2 or not np.isfinite(at).all():
        raise ValueError("a point needs x and y, finite numbers")
    # On the far edge of the picture it belongs to the last pixel.
    x, y = (int(c) - (c == n) for c, n in zip(np.floor(at), shape[::-1], strict=True))
    return np.array([y], np.intp), np.array([x], np.intp)


def box_places(
    left: float, top: float, right: float, bottom: float, shape: tuple[int, int]
) -> Places:
    """Return the pixels in a box, whose sides are given by x and y."""
    ring = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return ring_places(ring, shape)


def polygon_places(pieces: Sequence[Sequence[Ring]], shape: tuple[int, int]) -> Places:
    """Return the pixels of an object of several pieces, each with holes.

    Parameters
    ----------
    pieces : sequence of sequence of ring
        Of each piece the outline around it, then those around its holes.
    shape : tuple of int
        (H, W).

    Returns
    -------
    tuple of ndarray
        Rows and columns, each pixel once.
    """
    found: NDArray[np.intp] = np.zeros(0, np.intp)
    for outer, *holes in pieces:
        inside = _flat(ring_places(outer, shape), shape)
        for hole in holes:
            inside = np.setdiff1d(inside, _flat(ring_places(hole, shape), shape))
        found = np.union1d(found, inside)
    return np.unravel_index(found, shape)


def even_odd_places(rings: Sequence[Ring], shape: tuple[int, int]) -> Places:
    """Return the pixels that are inside an odd number of outlines."""
    found: NDArray[np.intp] = np.zeros(0, np.intp)
    for ring in rings:
        found = np.setxor1d(found, _flat(ring_places(ring, shape), shape))
    return np.unravel_index(found, shape)


def ellipse_places(
    center: Sequence[float], radii: Sequence[float], shape: tuple[int, int]
) -> Places:
    """Return the pixels of an ellipse whose axes are those of the picture.

    Parameters
    ----------
    center, radii : sequence of two float
        Of x and y.
    shape : tuple of int
        (H, W).
    """
    if not np.isfinite([*center, *radii]).all() or min(radii) <= 0:
        raise ValueError("an ellipse needs a middle and positive radii")
    low = [max(0, int(c - r)) for c, r in zip(center, radii, strict=True)]
    high = [
        min(size, int(c + r) + 1)
        for c, r, size in zip(center, radii, shape[::-1], strict=True)
    ]
    rows = np.arange(low[1], max(low[1], high[1]))[:, None]
    columns = np.arange(low[0], max(low[0], high[0]))
    down = ((rows + 0.5 - center[1]) / radii[1]) ** 2
    across = ((columns + 0.5 - center[0]) / radii[0]) ** 2
    inside = np.nonzero(down + across <= 1)
    return inside[0] + low[1], inside[1] + low[0]


def _flat(places: Places, shape: tuple[int, int]) -> NDArray[np.intp]:
    found: NDArray[np.intp] = np.unique(places[0] * shape[1] + places[1])
    return found
