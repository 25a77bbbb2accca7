"""Ranks and correlations, as SciPy gives them: to import its statistics takes a second.

Each training ranks its validation cases, and needs nothing else of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def ranks(values: Floats) -> Floats:
    """Return the rank of each number, from 1 on; equal ones share the mean of theirs.

    Parameters
    ----------
    values : ndarray, shape (N,)
        No NaN.

    Examples
    --------
    >>> ranks(np.array([0.5, 0.1, 0.5])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: Floats = (last - (counts - 1) / 2)[which]
    return found


def pearson(one: Floats, other: Floats) -> float:
    """Return the correlation of two rows of numbers; not all of a row are equal."""
    rows = [row - row.mean() for row in (one, other)]
    left, right = (row / np.linalg.norm(row) for row in rows)
    return float(np.clip(left @ right, -1.0, 1.0))


def spearman(one: Floats, other: Floats) -> float:
    """Return the correlation of the ranks; not all numbers of a row are equal."""
    return pearson(ranks(one), ranks(other))
