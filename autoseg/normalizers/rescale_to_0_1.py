"""Each image from its own minimum to its own maximum."""

from __future__ import annotations

from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers._base import SMALLEST_STD, Channel, Mask, inside


@NORMALIZERS.register
class RescaleTo01:
    """Map the channel's own range to 0 to 1; a constant channel becomes 0."""

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel between 0 and 1."""
        return inside(channel, mask, _rescale)


def _rescale(values: Channel) -> None:
    values -= values.min()
    values /= max(values.max(), SMALLEST_STD)
