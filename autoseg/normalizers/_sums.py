"""Sums of float32 in NumPy's order, of numbers that come piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autoseg.normalizers.base import Channel, Stretches

PART = 2**20  # numbers added up by NumPy itself


def sum_of(
    stretches: Stretches, change: Callable[[Channel], Channel] = lambda part: part
) -> np.float32:
    """Return the sum of a channel, to the bit that of `numpy.add.reduce`.

    Parameters
    ----------
    stretches : Stretches
        The channel.
    change : callable
        Applied to all numbers before they are added.
    """
    flow = _Flow(iter(stretches), change)
    length, left = stretches.length, stretches.size
    if length == left:
        return _halves(flow, left)
    total = np.float32(0)
    while left:
        count = min(left // length, max(1, PART // length))
        if length > PART:
            sums = np.array([_halves(flow, length)], np.float32)
        else:
            sums = np.add.reduce(flow.take(count * length).reshape(-1, length), axis=1)
        # One after the other, as NumPy goes on with what it has.
        total = np.add.accumulate(np.append(total, sums).astype(np.float32))[-1]
        left -= count * length
    return total


def whole(stretches: Stretches) -> Stretches:
    """Return the same numbers as one stretch, as those of a copy lie in memory."""
    return Stretches(lambda: iter(stretches), stretches.size, stretches.size)


class _Flow:
    """Numbers that come in pieces of any length, and are taken in others."""

    def __init__(
        self, pieces: Iterator[Channel], change: Callable[[Channel], Channel]
    ) -> None:
        self._pieces, self._change = pieces, change
        self._left = np.zeros(0, np.float32)

    def take(self, count: int) -> Channel:
        parts, missing = [], count
        while missing > len(self._left):
            parts.append(self._left)
            missing -= len(self._left)
            self._left = self._change(next(self._pieces))
        parts.append(self._left[:missing])
        self._left = self._left[missing:]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _halves(flow: _Flow, count: int) -> np.float32:
    """Add numbers up as NumPy does: halves, and halves of those."""
    if count <= PART:
        return np.float32(np.add.reduce(flow.take(count)))
    half = count // 2
    half -= half % 8  # where NumPy's pairwise sum cuts
    return np.float32(_halves(flow, half) + _halves(flow, count - half))
