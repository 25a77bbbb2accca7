"""Each image from its own minimum to its own maximum."""

from __future__ import annotations

import numpy as np

from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import (
    Change,
    Channel,
    Mask,
    Pieces,
    divisor,
    inside,
)


@NORMALIZERS.register
class RescaleTo01:
    """Map the channel's own range to 0 to 1; a constant channel becomes 0.

    Parameters
    ----------
    smallest : float, optional
        Least range to divide by, as in models of nnU-Net.
    """

    def __init__(self, smallest: float | None = None) -> None:
        self.smallest = smallest

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel between 0 and 1."""
        return inside(channel, mask, self._rescale)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part, by the range of all pieces."""
        ranges = [(piece.min(), piece.max()) for piece in pieces]
        low = min(low for low, _ in ranges)
        return _Shift(low, max(high for _, high in ranges), self.smallest)

    def _rescale(self, values: Channel) -> None:
        _Shift(values.min(), values.max(), self.smallest)(values)


class _Shift:
    def __init__(
        self, low: np.float32, high: np.float32, smallest: float | None
    ) -> None:
        with np.errstate(over="ignore"):
            width = np.float32(high - low)
        # In halves, the range of all float32 is a float32.
        self._scale = np.float32(1 if np.isfinite(width) else 0.5)
        width = high * self._scale - low * self._scale
        largest = max(abs(float(low)), abs(float(high)))
        self._low = low * self._scale
        self._width = np.float32(divisor(float(width), largest, smallest))

    def __call__(self, values: Channel) -> None:
        values *= self._scale
        values -= self._low
        values /= self._width
