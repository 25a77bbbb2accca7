"""Tables of how often each value occurs, of values that come in parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_DISTINCT = 2**24  # of one case; more are rounded, so that they fit in memory


def added(
    bits: NDArray[np.int32],
    counts: NDArray[np.int64],
    more: NDArray[np.int32],
    more_counts: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Join two tables of values, ascending, and how often each is there."""
    if not len(bits):
        return more, more_counts.astype(np.int64)
    both = np.concatenate([bits, more])
    found, place = np.unique(both, return_inverse=True)
    total = np.bincount(place, np.concatenate([counts, more_counts]), len(found))
    return _thinned(found, total.astype(np.int64))


def _thinned(
    bits: NDArray[np.int32], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Round values, a bit further each time, while they are too many for memory."""
    shift = 0
    while len(bits) > MOST_DISTINCT:
        shift += 1
        # The middle of a bin stands for what is in it.
        rounded = ((bits.astype(np.int64) >> shift) << shift) + (1 << (shift - 1))
        found, place = np.unique(rounded, return_inverse=True)
        counts = np.bincount(place, counts, len(found)).astype(np.int64)
        bits = found.astype(np.int32)
    return bits, counts
