"""Zero mean and unit standard deviation for each image: magnetic resonance and most."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers._sums import sum_of, whole
from autoseg.normalizers.base import (
    SMALLEST_STD,
    Change,
    Channel,
    Mask,
    Pieces,
    Stretches,
    divisor,
    inside,
)

PART = 2**20  # values squared at once
# Beyond these, squares or their sums leave the range of float32.
MOST, LEAST = 1e15, 1e-15


@NORMALIZERS.register
class ZScore:
    """Subtract the channel's own mean and divide by its own standard deviation.

    Both are taken in the mask, if there is one. The arithmetic is float32 in nnU-Net's
    order, so that its models see the same bits; where float32 does not reach (sentinel
    values of 1e20, diffusion in square meters a second), it is float64.

    Parameters
    ----------
    smallest : float, optional
        Least standard deviation to divide by, as in models of nnU-Net; by default
        smaller ones count too, unless they are rounding.
    """

    def __init__(self, smallest: float | None = None) -> None:
        self.smallest = smallest

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return the channel with mean 0 and standard deviation 1."""
        return inside(channel, mask, self._standardize)

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what is done to any part, by mean and deviation of all pieces.

        Of `Stretches` they are, to the bit, those of a channel as a whole. Otherwise
        both are float64, for sums of float32 depend on how they are cut.
        """
        if isinstance(pieces, Stretches):
            change = self._of_stretches(pieces)
            if change is not None:
                return change
        count, mean, squares, largest = 0, 0.0, 0.0, 0.0
        for piece in pieces:  # Chan et al. 1982, doi:10.1007/978-3-642-51461-6_3
            most = _largest(piece)
            own = float(piece.mean(dtype=np.float64))
            if most and not LEAST < most < MOST:
                own_squares = float(np.square(piece.astype(np.float64) - own).sum())
            else:
                piece -= np.float32(own)
                off = float(np.float32(own)) - own
                piece *= piece
                own_squares = float(piece.sum(dtype=np.float64)) - piece.size * off**2
            total = count + piece.size
            squares += own_squares + (own - mean) ** 2 * count * piece.size / total
            mean += (own - mean) * piece.size / total
            count, largest = total, max(largest, most)
        std = math.sqrt(max(0.0, squares) / max(1, count))
        return partial(
            _scale, mean=mean, std=divisor(std, largest, self.smallest), largest=largest
        )

    def _of_stretches(self, stretches: Stretches) -> Change | None:
        """Return the same as `_standardize` does; None where float32 does not reach."""
        count = np.intp(stretches.size)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.float32(sum_of(stretches) / count)
            total = sum_of(whole(stretches), lambda part: (part - mean) ** 2)
            std = float(np.sqrt(np.float32(total / count)))
        if math.isfinite(std) and (std >= SMALLEST_STD or self.smallest is not None):
            return partial(_shift, mean=mean, by=divisor(std, 0.0, self.smallest))
        return None

    def _standardize(self, values: Channel) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            mean = values.mean()
            std = float(_std(values, mean))
        if math.isfinite(std) and (std >= SMALLEST_STD or self.smallest is not None):
            _shift(values, mean=mean, by=divisor(std, 0.0, self.smallest))
            return
        largest = _largest(values)
        exact = float(values.mean(dtype=np.float64))
        std = math.sqrt(_exact_squares(values.reshape(-1), exact) / values.size)
        std = divisor(std, largest, self.smallest)
        _scale(values, mean=exact, std=std, largest=largest)


def _shift(values: Channel, *, mean: np.float32, by: float) -> None:
    values -= mean
    values /= by


def _largest(values: Channel) -> float:
    return max(abs(float(values.min())), abs(float(values.max())))


def _exact_squares(values: Channel, mean: float) -> float:
    """Return the sum of squared differences in float64, part by part."""
    parts = (values[start : start + PART] for start in range(0, len(values), PART))
    return math.fsum(
        float(np.square(part.astype(np.float64) - mean).sum()) for part in parts
    )


def _scale(values: Channel, *, mean: float, std: float, largest: float) -> None:
    """Subtract and divide in place, without leaving the range of float32."""
    if LEAST < largest < MOST or not largest:
        values -= np.float32(mean)
        values /= std
        return
    values /= largest
    values -= np.float32(mean / largest)
    values /= std / largest


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
    result: np.float32 = np.sqrt(np.float32(total / np.intp(values.size)))
    return result


def _squares(values: Channel, mean: np.float32) -> np.float32:
    if len(values) <= PART:
        differences = values - mean
        differences *= differences
        return np.float32(np.add.reduce(differences))
    half = len(values) // 2
    half -= half % 8  # where NumPy's pairwise sum cuts
    return _squares(values[:half], mean) + _squares(values[half:], mean)
