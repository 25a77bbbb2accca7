"""Each image from its own minimum to its own maximum."""

from __future__ import annotations

import numpy as np

from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import (
    SMALLEST_STD,
    Change,
    Channel,
    Mask,
    Pieces,
    inside,
)


@NORMALIZERS.register
class RescaleTo01:
    """Map the channel's own range to 0 to 1; a constant channel becomes 0."""

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel between 0 and 1."""
        return inside(channel, mask, _rescale)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part, by the range of all pieces."""
        ranges = [(piece.min(), piece.max()) for piece in pieces]
        low = min(low for low, _ in ranges)
        return _Shift(low, max(high for _, high in ranges) - low)


def _rescale(values: Channel) -> None:
    low = values.min()
    _Shift(low, values.max() - low)(values)


class _Shift:
    def __init__(self, low: np.float32, width: np.float32) -> None:
        self._low, self._width = low, max(width, np.float32(SMALLEST_STD))

    def __call__(self, values: Channel) -> None:
        values -= self._low
        values /= self._width
