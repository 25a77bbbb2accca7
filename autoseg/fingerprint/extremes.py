"""Values that stand for something else than an intensity: -32768, 1e20, FLT_MAX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.windowed import pieces

SAMPLE = 8192  # values that say where the others lie
FEWEST = 16  # different ones, or it is no image of intensities
FAR = 100.0  # times the range of nearly all others
FAR_OF_MANY = 10.0  # the same, of a value that many voxels have exactly
MANY = 1e-3  # share of the voxels; fewer are a camera's hot pixels
BYTE = 255.0  # up to here a paper's white, or the background of a drawing
MOST_DIFFERENT = 3  # values that far away; more are bright objects


@dataclass(frozen=True)
class Extreme:
    """A value that is far from all others of a channel.

    Parameters
    ----------
    value : float
        The value.
    share : float
        Of the voxels that are so far away.
    low, high : float
        Between which 98 of 100 of the others are.
    """

    value: float
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"the value {self.value:g} (in {100 * self.share:.2g} % of the voxels) is "
            f"far from all others, which are mostly from {self.low:g} to {self.high:g}"
        )


def find_extreme(channel: Any) -> Extreme | None:
    """Return a value that is far from all others, if there is one.

    Parameters
    ----------
    channel : ndarray or Windowed, shape S
        Intensities of one channel.

    Returns
    -------
    Extreme or None
        0 is the background of most images, and never one. Of values that are not
        finite nothing is said here.
    """
    parts = partial(_parts, channel)
    ends = _ends(parts())
    if not np.isfinite(ends).all():
        return None
    sample = _sample(parts(), channel.size)
    others = sample[(sample != 0) & (sample != ends[0]) & (sample != ends[1])]
    if len(np.unique(others)) < FEWEST:
        return None
    low, high = np.percentile(others, (1, 99))
    for value, is_low in ((ends[0], True), (ends[1], False)):
        away = low - value if is_low else value - high
        reach = FAR_OF_MANY * (high - low)
        if value == 0 or not reach or away <= reach:
            continue
        far = [p[p < low - reach] if is_low else p[p > high + reach] for p in parts()]
        share = sum(map(len, far)) / channel.size
        different = np.unique(np.concatenate([np.unique(p) for p in far]))
        clear = away > FAR * (high - low)
        many = share >= MANY and not 0 <= value <= BYTE
        if (clear or many) and len(different) <= MOST_DIFFERENT:
            return Extreme(value, share, float(low), float(high))
    return None


def ends_of(channel: Any) -> tuple[float, float]:
    """Return the smallest and the largest value of a channel."""
    return _ends(_parts(channel))


def _parts(channel: Any) -> Iterator[NDArray[Any]]:
    """Yield a channel as arrays of one axis."""
    for part in pieces(channel):
        yield part.reshape(-1)


def _ends(parts: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Return the smallest and the largest value."""
    both = np.array([(part.min(), part.max()) for part in parts], np.float64)
    return float(both[:, 0].min()), float(both[:, 1].max())


def _sample(parts: Iterable[NDArray[Any]], size: int) -> NDArray[np.float64]:
    """Return some values, evenly spread."""
    # An odd step, so that it does not fall into step with rows.
    step, skip, found = max(1, size // SAMPLE) | 1, 0, []
    for part in parts:
        found.append(part[skip::step].astype(np.float64))
        skip = (skip - len(part)) % step
    return np.concatenate(found)
