"""No normalization: the images are on the network's scale already."""

from __future__ import annotations

from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import Change, Channel, Mask, Pieces


@NORMALIZERS.register
class NoNormalization:
    """Leave the channel as it is."""

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel itself."""
        return channel

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what leaves any part as it is."""
        return lambda channel: None
