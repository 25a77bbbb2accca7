"""Zero mean and unit standard deviation for each image: magnetic resonance and most."""

from __future__ import annotations

import math
from functools import partial

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

PART = 2**20  # values squared at once


@NORMALIZERS.register
class ZScore:
    """Subtract the channel's own mean and divide by its own standard deviation.

    Both are taken in the mask, if there is one. The arithmetic is float32 in nnU-Net's
    order, so that its models see the same bits.
    """

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel with mean 0 and standard deviation 1."""
        return inside(channel, mask, _standardize)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part, by mean and deviation of all pieces.

        Both are float64, for sums of float32 depend on how they are cut: by the last
        bits, values differ from those of an image that is normalized as a whole.
        """
        count, mean, squares = 0, 0.0, 0.0
        for piece in pieces:  # Chan et al. 1982, doi:10.1007/978-3-642-51461-6_3
            own = float(piece.mean(dtype=np.float64))
            piece -= np.float32(own)
            off = float(np.float32(own)) - own
            piece *= piece
            own_squares = float(piece.sum(dtype=np.float64)) - piece.size * off**2
            total = count + piece.size
            squares += own_squares + (own - mean) ** 2 * count * piece.size / total
            mean += (own - mean) * piece.size / total
            count = total
        std = math.sqrt(max(0.0, squares) / max(1, count))
        return partial(_scale, mean=np.float32(mean), std=std)


def _standardize(values: Channel) -> None:
    mean = values.mean()
    _scale(values, mean=mean, std=float(_std(values, mean)))


def _scale(values: Channel, *, mean: np.float32, std: float) -> None:
    values -= mean
    values /= max(std, SMALLEST_STD)


def _std(values: Channel, mean: np.float32) -> np.float32:
    """Return the standard deviation, to the bit NumPy's, without a copy of everything.

    NumPy subtracts the mean from all values at once, which takes as much memory as the
    image. Here that is done part by part, and the parts are added in NumPy's order:
    halves, and halves of those.
    """
    in_memory = values.transpose(np.argsort([-step for step in values.strides]))
    if not in_memory.flags.c_contiguous:
        return np.float32(values.std())
    total = _squares(in_memory.reshape(-1), mean)
    return np.sqrt(np.float32(total / np.intp(values.size)))


def _squares(values: Channel, mean: np.float32) -> np.float32:
    if len(values) <= PART:
        differences = values - mean
        differences *= differences
        return np.float32(np.add.reduce(differences))
    half = len(values) // 2
    half -= half % 8  # where NumPy's pairwise sum cuts
    return _squares(values[:half], mean) + _squares(values[half:], mean)
