"""How annotations look: the same for two images, or drawn in single slices only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_VOXELS = 10  # of an annotation: fewer may be alike by chance
LEAST_POINTS = 3
LEAST_SLICES = 3  # that are drawn in, before a rhythm is seen
LEAST_AREA = 25.0  # pixels in a slice: what is smaller may be no thicker than it


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What is remembered of an annotation to compare it with others.

    Parameters
    ----------
    digest : str
        Equal for equal annotations.
    axis : int or None
        Across which slices are drawn in of which no two are neighbors.
    slices : int
        How many these are.
    apart : int
        How far the nearest two are apart.
    """

    digest: str
    axis: int | None = None
    slices: int = 0
    apart: int = 0


def drawn_points(coordinates: NDArray[np.float64], present: int) -> Drawn | None:
    """Return how points look; None where next to none are there.

    Parameters
    ----------
    coordinates : ndarray, shape (L, D)
        Of all landmarks; NaN for those that are not there.
    present : int
        How many are.
    """
    return None if present < LEAST_POINTS else Drawn(digest=_digest(coordinates))


def drawn_labels(labels: Any) -> Drawn | None:
    """Return how a map of labels looks.

    Parameters
    ----------
    labels : ndarray of int, shape S, or Windowed
        What is not in memory is not looked at.

    Returns
    -------
    Drawn or None
        None where next to nothing is drawn.
    """
    if not isinstance(labels, np.ndarray) or not labels.size:
        return None
    background = 0 if (labels == 0).any() else labels.min()
    mask = labels != background
    count = int(np.count_nonzero(mask))
    if count < LEAST_VOXELS:
        return None
    digest = _digest(labels)
    if labels.ndim != 3:
        return Drawn(digest=digest)
    sides = mask.any(axis=2), mask.any(axis=0)
    for axis, there in enumerate((sides[0].any(1), sides[0].any(0), sides[1].any(0))):
        where = np.flatnonzero(there)
        gaps = np.diff(where)
        enough = len(where) >= LEAST_SLICES and count >= LEAST_AREA * len(where)
        if enough and gaps.min() > 1:
            return Drawn(
                digest=digest, axis=axis, slices=len(where), apart=int(gaps.min())
            )
    return Drawn(digest=digest)


def _digest(array: np.ndarray[Any, Any]) -> str:
    digest = hashlib.blake2b(repr((array.shape, array.dtype.kind)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
