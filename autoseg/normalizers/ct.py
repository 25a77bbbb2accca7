"""Computed tomography: Hounsfield units are absolute, so one scale fits all images."""

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
class CT:
    """Clip to the data set's foreground percentiles, then scale by its mean and std.

    Parameters
    ----------
    mean, std : float
        Of the foreground of the training cases, in the image's unit.
    percentile_00_5, percentile_99_5 : float
        Limits to clip to: 0.5th and 99.5th percentile of the same voxels.
    smallest : float, optional
        Least ``std`` to divide by, as in models of nnU-Net.
    """

    def __init__(
        self,
        mean: float,
        std: float,
        percentile_00_5: float,
        percentile_99_5: float,
        smallest: float | None = None,
    ) -> None:
        self.mean = mean
        self.limits = (percentile_00_5, percentile_99_5)
        self.std = divisor(std, max(map(abs, self.limits)), smallest)

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel clipped, shifted and scaled."""
        return inside(channel, mask, self._scale)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part: nothing has to be measured."""
        return self._scale

    def _scale(self, values: Channel) -> None:
        np.clip(values, *self.limits, out=values)
        values -= self.mean
        values /= self.std
