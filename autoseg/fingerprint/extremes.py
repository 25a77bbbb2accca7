"""Values that stand for something else than an intensity: -32768, 1e20, FLT_MAX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = 8192  # values that say where the others lie
FEWEST = 16  # different ones, or it is no image of intensities
FAR = 100.0  # times the range of nearly all others
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


def find_extreme(channel: NDArray[Any]) -> Extreme | None:
    """Return a value that is far from all others, if there is one.

    Parameters
    ----------
    channel : ndarray, shape S
        Intensities of one channel, all finite.

    Returns
    -------
    Extreme or None
        0 is the background of most images, and never one.
    """
    ends = float(channel.min()), float(channel.max())
    flat = channel.reshape(-1)
    # An odd step, so that it does not fall into step with rows.
    sample = flat[:: max(1, flat.size // SAMPLE) | 1].astype(np.float64)
    others = sample[(sample != 0) & (sample != ends[0]) & (sample != ends[1])]
    if len(np.unique(others)) < FEWEST:
        return None
    low, high = np.percentile(others, (1, 99))
    reach = FAR * (high - low)
    for value, is_low in ((ends[0], True), (ends[1], False)):
        away = low - value if is_low else value - high
        if value == 0 or not reach or away <= reach:
            continue
        far = flat[flat < low - reach] if is_low else flat[flat > high + reach]
        if len(np.unique(far)) <= MOST_DIFFERENT:
            share = len(far) / flat.size
            return Extreme(value, share, float(low), float(high))
    return None
