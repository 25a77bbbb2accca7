"""Color photographs and 8-bit images: 0 to 255 becomes 0 to 1."""

from __future__ import annotations

from typing import ClassVar

from autoseg.errors import FormatError
from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import Change, Channel, Mask, Pieces, inside

LARGEST = 255.0


@NORMALIZERS.register
class RGBTo01:
    """Divide by 255.

    Raises
    ------
    FormatError
        If a value lies outside 0 to 255: then the image is no 8-bit one.

    Attributes
    ----------
    limits : tuple of float
        Between which values have to be; `autoseg check` says so of others.
    """

    limits: ClassVar[tuple[float, float]] = (0.0, LARGEST)

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel between 0 and 1."""
        _check(channel)
        return inside(channel, mask, _scale)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part, after a look at all pieces."""
        for piece in pieces:
            _check(piece)
        return _scale


def _check(channel: Channel) -> None:
    low, high = channel.min(), channel.max()
    if low < 0 or high > LARGEST:
        raise FormatError(
            f"intensities from {low:g} to {high:g}, but normalization "
            "'rgb_to_0_1' needs 0 to 255. Name the channel differently in "
            "dataset.json, or store 8-bit images."
        )


def _scale(values: Channel) -> None:
    values /= LARGEST
