"""Color photographs and 8-bit images: 0 to 255 becomes 0 to 1."""

from __future__ import annotations

from autoseg.errors import FormatError
from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers._base import Channel, Mask, inside

LARGEST = 255.0


@NORMALIZERS.register
class RGBTo01:
    """Divide by 255.

    Raises
    ------
    FormatError
        If a value lies outside 0 to 255: then the image is no 8-bit one.
    """

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel between 0 and 1."""
        low, high = channel.min(), channel.max()
        if low < 0 or high > LARGEST:
            raise FormatError(
                f"intensities from {low:g} to {high:g}, but normalization "
                "'rgb_to_0_1' needs 0 to 255. Name the channel differently in "
                "dataset.json, or store 8-bit images."
            )
        return inside(channel, mask, _scale)


def _scale(values: Channel) -> None:
    values /= LARGEST
