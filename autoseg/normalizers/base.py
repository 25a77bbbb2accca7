"""The interface of a normalizer: intensities of one channel to the network's scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

SMALLEST_STD = 1e-8  # of nnU-Net: a constant channel becomes 0, not infinite
ROUNDING = 1e-6  # of the largest value: what float32 leaves of a constant

Channel = NDArray[np.float32]
Mask = NDArray[np.bool_]

Pieces = Iterable[Channel]
"""A channel cut into pieces of one axis, which may be overwritten."""


class Stretches(Iterable[Channel]):
    """Pieces that can be gone through again, and know how the channel lies in memory.

    Sums of float32 depend on their order. NumPy adds each stretch of neighboring
    numbers by halves and the stretches one after the other; with this a normalizer can
    give the very bits that it gives for the channel as a whole.

    Parameters
    ----------
    again : callable
        Returns the pieces, in the order in which the channel lies in memory.
    length : int
        How many numbers of the channel lie beside each other in memory.
    size : int
        How many there are in all.
    """

    def __init__(
        self, again: Callable[[], Iterator[Channel]], length: int, size: int
    ) -> None:
        self._again, self.length, self.size = again, length, size

    def __iter__(self) -> Iterator[Channel]:
        return self._again()


Change = Callable[[Channel], Any]
"""What is done to a part of a channel, in place."""


class Normalizer(Protocol):
    """What every file of this folder registers: a class with this call.

    It is made with the options in the plan: ``NORMALIZERS[name](**options)``.

    Without `NormalizerInPieces.in_pieces`, large images are normalized as a whole.
    """

    def __call__(self, channel: Channel, mask: Mask | None = None) -> Channel:
        """Return a channel on the network's scale.

        Parameters
        ----------
        channel : ndarray of float32, shape S
            Intensities. They may be overwritten: go on with what is returned.
        mask : ndarray of bool, shape S, optional
            Where to measure and to scale; outside, intensities stay as they are.

        Returns
        -------
        ndarray of float32, shape S
            Finite if ``channel`` is.
        """


@runtime_checkable
class NormalizerInPieces(Normalizer, Protocol):
    """A normalizer for images that are larger than the memory."""

    def in_pieces(self, pieces: Pieces) -> Change:
        """Return what to do to any part of a channel, in place.

        Parameters
        ----------
        pieces : iterable of ndarray of float32
            The whole channel, one piece of one axis after the other.
        """


def divisor(width: float, largest: float, smallest: float | None = None) -> float:
    """Return what to divide by, for values that may be constant, or tiny.

    Parameters
    ----------
    width : float
        A standard deviation, or a range.
    largest : float
        Largest absolute value.
    smallest : float, optional
        Divide by no less than that, as nnU-Net does with 1e-8. By default a width
        below that counts unless it is no more than the rounding of the values.

    Returns
    -------
    float
        Over 0.
    """
    if smallest is not None:
        return max(width, smallest)
    if width >= SMALLEST_STD or width > ROUNDING * largest:
        return width
    return max(largest, SMALLEST_STD)


def inside(channel: Channel, mask: Mask | None, function: Any) -> Channel:
    """Apply a function that works in place to a channel, or to a mask of it only."""
    if mask is None:
        function(channel)
    elif mask.any():
        values = channel[mask]
        function(values)
        channel[mask] = values
    return channel
