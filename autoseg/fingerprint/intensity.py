"""Foreground intensities of all cases in bounded memory.

Every foreground voxel counts, and every case as much as any other, however many voxels
it has: that is what nnU-Net's samples of equal size come to, drawn from each case with
replacement, if they were infinitely large.

A `Sketch` holds the moments of all values that it has seen and a histogram. The
histogram's bins are float32 numbers whose last ``shift`` bits are cut off; as long as
there are few enough different values, nothing is cut off and quantiles are exact (so
always for 8-bit and 16-bit images). Otherwise bins are joined in pairs, which makes
them twice as wide relative to their value. Bins do not depend on the order in which
values arrive.

References
----------
.. [1] Masson et al., "DDSketch: a fast and fully-mergeable quantile sketch with
   relative-error guarantees", PVLDB 12 (12), 2019. doi:10.14778/3352063.3352135. Its
   idea, bins as wide as their value allows; the bins here are those of float32.
.. [2] Chan et al., "Algorithms for computing the sample variance", The American
   Statistician 37 (3), 1983. doi:10.1080/00031305.1983.10483115. For the moments.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.fingerprint.counted import added
from autoseg.spec.fingerprint import Histogram, Intensity

MOST_BINS = 2**16  # every value of a 16-bit image has a bin of its own
BARS = 64  # of a histogram for people, about
MANTISSA_BITS = 23  # of float32
ROUNDING = 1e-12  # of sums of weights, which must not decide between two values


@dataclass(frozen=True, kw_only=True)
class Sketch:
    """Moments and histogram of the values of some cases; its size is bounded.

    Parameters
    ----------
    count : int
        How many values.
    cases : int
        From how many cases, of which each weighs 1.
    mean : float
        Mean over the cases of their means.
    variance : float
        Variance of values that are drawn from the cases with equal chance.
    low, high : float
        Smallest and largest value.
    shift : int
        How many bits of a float32 the histogram's bins leave out.
    keys : ndarray of int64, shape (bins,)
        Bins that hold a value, ascending.
    weights : ndarray of float64, shape (bins,)
        Shares of the cases' values in each of them; their sum is ``cases``.
    """

    count: int = 0
    cases: int = 0
    mean: float = 0.0
    variance: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    shift: int = 0
    keys: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, values: NDArray[Any]) -> Sketch:
        """Return the sketch of the values of one case.

        Parameters
        ----------
        values : ndarray
            Any shape; taken as float32.

        Returns
        -------
        Sketch
            Empty, and of no case, if there are no values.

        Raises
        ------
        DatasetError
            If a value is NaN or infinite.
        """
        return cls.of_parts([values])

    @classmethod
    def of_parts(cls, parts: Iterable[NDArray[Any]]) -> Sketch:
        """Return the sketch of the values of one case that come in parts; see `of`.

        As long as the case has no more than some million different values, nothing
        depends on how they are parted.
        """
        bits, counts = np.zeros(0, np.int32), np.zeros(0, np.int64)
        for part in parts:
            flat = np.asarray(part, dtype=np.float32).ravel()
            more = np.unique(_ordered(flat), return_counts=True)
            bits, counts = added(bits, counts, *more)
        if not len(bits):
            return cls()
        distinct, size = _values(bits), int(counts.sum())
        if not np.isfinite(distinct[[0, -1]]).all():
            raise DatasetError(
                "the image has values that are NaN or infinite. Replace them in the "
                "file, for example by 0."
            )
        numbers = distinct.astype(np.float64)
        # Not np.dot, whose last bits depend on the number of threads.
        mean = float(np.sum(numbers * counts) / size)
        variance = float(np.sum((numbers - mean) ** 2 * counts) / size)
        return cls(
            count=size,
            cases=1,
            mean=mean,
            variance=variance,
            low=float(numbers[0]),
            high=float(numbers[-1]),
            keys=bits.astype(np.int64),
            weights=counts / size,
        )._bounded()

    def merge(self, other: Sketch) -> Sketch:
        """Return the sketch of the cases of both.

        Sums are in float64, so their last bits depend on the order of merging; the
        bins do not.
        """
        if not self.cases or not other.cases:
            return self if self.cases else other
        cases = self.cases + other.cases
        share = other.cases / cases
        gap = other.mean - self.mean
        shift = max(self.shift, other.shift)
        keys = np.concatenate(
            [self.keys >> (shift - self.shift), other.keys >> (shift - other.shift)]
        )
        order = np.argsort(keys, kind="stable")
        weights = np.concatenate([self.weights, other.weights])
        keys, weights = _joined(keys[order], weights[order])
        return Sketch(
            count=self.count + other.count,
            cases=cases,
            mean=self.mean + gap * share,
            variance=self.variance * (1 - share)
            + other.variance * share
            + gap * gap * share * (1 - share),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            shift=shift,
            keys=keys,
            weights=weights,
        )._bounded()

    @property
    def relative_error(self) -> float:
        """How far `quantile` may be off, relative to the true value; 0: exact.

        Or relative to float32's smallest normal number, 1.2e-38, if that is larger.
        """
        return 0.0 if not self.shift else 2.0 ** (self.shift - 1 - MANTISSA_BITS)

    def quantile(self, share: float) -> float:
        """Return the smallest value that a share of the weight is not above.

        Parameters
        ----------
        share : float
            In [0, 1].

        Returns
        -------
        float
            Off by at most `relative_error`; NaN if there are no values.
        """
        if not self.cases:
            return math.nan
        wanted = (share - ROUNDING) * self.cases
        place = int(np.searchsorted(np.cumsum(self.weights), wanted))
        key = self.keys[min(place, len(self.keys) - 1)]
        edges = np.array([key << self.shift, (key + 1) << self.shift])
        if not self.shift:
            return float(_values(edges)[0])
        middle = float(_values(edges).astype(np.float64).mean())
        return min(max(middle, self.low), self.high)

    def summary(self) -> Intensity:
        """Return the numbers that the fingerprint keeps; zeros if there are none."""
        if not self.cases:
            return Intensity(
                mean=0.0,
                median=0.0,
                std=0.0,
                min=0.0,
                max=0.0,
                percentile_00_5=0.0,
                percentile_99_5=0.0,
            )
        return Intensity(
            mean=self.mean,
            median=self.quantile(0.5),
            std=math.sqrt(self.variance),
            min=self.low,
            max=self.high,
            percentile_00_5=self.quantile(0.005),
            percentile_99_5=self.quantile(0.995),
            voxels=self.count,
            histogram=self.histogram(),
        )

    def histogram(self) -> Histogram | None:
        """Return about 64 bars between the 0.5th and the 99.5th percentile.

        Values on a grid, such as whole numbers, get bars that each hold equally many of
        them; otherwise every second or third bar would stand out.

        Returns
        -------
        Histogram or None
            None if all these values are equal.
        """
        low, high = self.quantile(0.005), self.quantile(0.995)
        if not self.cases or not high > low:
            return None
        edges = np.stack([self.keys << self.shift, (self.keys + 1) << self.shift])
        ends = _values(edges).astype(np.float64)
        values = ends[0] if not self.shift else ends.mean(axis=0)
        inside = (values >= low) & (values <= high)
        values, weights = values[inside], self.weights[inside]
        if not len(values):
            return None
        width = (high - low) / BARS
        gap = float(np.diff(values).min()) if len(values) > 1 else width
        start = low
        if gap > width / 8:  # a grid: whole steps of it, and edges between its values
            width = gap * math.ceil(width / gap * (1 - 1e-6))
            start = low - gap / 2
        bars = int((high - start) / width) + 1
        place = np.minimum(((values - start) / width).astype(np.int64), bars - 1)
        shares = np.bincount(place, weights, bars) / self.cases
        return Histogram(
            start=start, width=width, shares=tuple(float(f"{s:.6g}") for s in shares)
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        if not self.cases:
            return {"cases": 0}
        return {
            "count": self.count,
            "cases": self.cases,
            "mean": self.mean,
            "variance": self.variance,
            "low": self.low,
            "high": self.high,
            "shift": self.shift,
            # Neighboring keys differ by little, which packs well.
            "keys": _packed(np.diff(self.keys, prepend=0)),
            "weights": _packed(self.weights),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Sketch:
        """Build it from what `to_json` gave."""
        if not raw["cases"]:
            return cls()
        numbers = {
            key: raw[key]
            for key in ("count", "cases", "mean", "variance", "low", "high", "shift")
        }
        return cls(
            **numbers,
            keys=np.cumsum(_unpacked(raw["keys"], "<i8")),
            weights=_unpacked(raw["weights"], "<f8"),
        )

    def _bounded(self) -> Sketch:
        """Join neighboring bins until they are few enough."""
        keys, weights, shift = self.keys, self.weights, self.shift
        while len(keys) > MOST_BINS:
            shift += 1
            keys, weights = _joined(keys >> 1, weights)
        return replace(self, keys=keys, weights=weights, shift=shift)


def _joined(
    keys: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Add up the weights of equal keys, which are ascending and at least one."""
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return keys[starts], np.add.reduceat(weights, starts)


def _ordered(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return float32 numbers as integers of the same order, 0.0 as 0.

    The bits of a positive float, read as an integer, grow with it; those of a negative
    one fall, so they are counted downwards from 0.
    """
    bits = values.view(np.int32)
    negative = bits < 0
    if not negative.any():
        return bits
    ordered: NDArray[np.int32] = np.where(negative, -(bits & 0x7FFFFFFF), bits)
    return ordered


def _values(keys: NDArray[np.integer]) -> NDArray[np.float32]:
    """Undo `_ordered`."""
    size = np.abs(keys.astype(np.int64)).astype(np.uint32)
    bits = np.where(keys < 0, size | np.uint32(0x80000000), size)
    return bits.astype(np.uint32).view(np.float32)


def _packed(numbers: NDArray[Any]) -> str:
    little = numbers.astype(numbers.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), 1)).decode()


def _unpacked(text: str, kind: str) -> NDArray[Any]:
    numbers = np.frombuffer(zlib.decompress(base64.b64decode(text)), kind)
    return numbers.astype(numbers.dtype.newbyteorder("="))
