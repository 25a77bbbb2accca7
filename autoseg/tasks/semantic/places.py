"""Where patches center: a share of the voxels of each class."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.windowed import Windowed, pieces
from autoseg.tasks.base import Array

MOST_INDICES = 10_000  # foreground voxels kept for each class of a case
LEAST_SHARE = 0.01  # ... but at least this share of them, as in nnU-Net


def share_of(labels: Any, function: Callable[[Array], Array]) -> Array:
    """Keep a fair, reproducible share of where a function is true, evenly spread.

    Returns
    -------
    ndarray of uint32 or uint64
        Linear indices, ascending.
    """
    places = partial(_places, labels, function)
    if not isinstance(labels, Windowed):
        once = list(places())
        places = partial(iter, once)
    counts = [len(part) for part in places()]
    total = sum(counts)
    keep = max(MOST_INDICES, math.ceil(LEAST_SHARE * total))
    if total <= keep:
        found = list(places())
    else:
        drawn = np.random.default_rng(1234).choice(total, keep, replace=False)
        ends = np.cumsum([0, *counts])
        ranks = np.sort(drawn)
        cuts = np.searchsorted(ranks, ends)
        found = [
            part[ranks[low:high] - first]
            for part, low, high, first in zip(
                places(), cuts[:-1], cuts[1:], ends[:-1], strict=True
            )
        ]
    indices = np.concatenate(found)
    return indices.astype(
        np.uint32 if not len(indices) or indices[-1] < 2**32 else np.uint64
    )


def _places(
    labels: Any, function: Callable[[Array], Array]
) -> Iterator[NDArray[np.intp]]:
    """Yield the linear indices of where a function is true, part by part."""
    first = 0
    for part in pieces(labels):
        yield np.flatnonzero(function(part)) + first
        first += part.size
