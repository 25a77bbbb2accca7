"""The interface of a normalizer: intensities of one channel to the network's scale."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

SMALLEST_STD = 1e-8  # as in nnU-Net: a constant channel becomes 0, not infinite

Channel = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Normalizer(Protocol):
    """What every file of this folder registers: a class with this call.

    It is made with the options in the plan: ``NORMALIZERS[name](**options)``.

    A normalizer of large images also has ``in_pieces(pieces)``: given the pieces of a
    channel, float32 of one axis, one after the other, it returns what to do to any part
    of the channel, in place; see `Pieces`. Without it, large images are normalized as a
    whole.
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


Pieces = Iterable[Channel]
"""A channel cut into pieces of one axis, which may be overwritten."""

Change = Callable[[Channel], Any]
"""What is done to a part of a channel, in place."""


def inside(channel: Channel, mask: Mask | None, function: Any) -> Channel:
    """Apply a function that works in place to a channel, or to a mask of it only."""
    if mask is None:
        function(channel)
    elif mask.any():
        values = channel[mask]
        function(values)
        channel[mask] = values
    return channel
