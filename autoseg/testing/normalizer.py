"""Rules that every normalizer keeps, whatever it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.normalizers.base import Normalizer, NormalizerInPieces
from autoseg.testing._contract import Contract, require

RULES = Contract("normalizer")
ROUNDING = 2e-6
CHANNELS: Mapping[str, NDArray[Any]] = {
    "varied": np.random.default_rng(0).uniform(0, 255, (4, 5, 6)),
    "constant": np.full((4, 5), 7.0),
    "zero": np.zeros((3, 3, 3)),
    "one voxel": np.full((1, 1), 100.0),
}


def check_normalizer(kind: type[Normalizer], **options: Any) -> None:
    """Raise PluginError unless a class keeps the rules of a normalizer.

    Parameters
    ----------
    kind : type
        The class.
    **options
        What it is made with.
    """
    RULES.check(kind.__name__, [(kind, options)])


@RULES.add
def shape_type_and_finiteness_are_kept(
    kind: type[Normalizer], options: Mapping[str, Any]
) -> None:
    """Also of a constant channel, and with a mask of nothing."""
    for name, values in CHANNELS.items():
        channel = values.astype(np.float32)
        for mask in (None, channel > 50, np.zeros(channel.shape, dtype=bool)):
            found = kind(**options)(channel.copy(), mask)
            alike = found.shape == channel.shape and found.dtype == np.float32
            require(alike, f"{name} became {found.dtype} of shape {found.shape}")
            require(np.isfinite(found).all(), f"{name} is not finite")


@RULES.add
def outside_the_mask_nothing_changes(
    kind: type[Normalizer], options: Mapping[str, Any]
) -> None:
    """To the bit."""
    channel = CHANNELS["varied"].astype(np.float32)
    mask = channel > 100
    found = kind(**options)(channel.copy(), mask)
    require(np.array_equal(found[~mask], channel[~mask]))


@RULES.add
def the_order_of_intensities_is_kept(
    kind: type[Normalizer], options: Mapping[str, Any]
) -> None:
    """What was brighter is not darker afterwards."""
    channel = np.sort(CHANNELS["varied"].astype(np.float32), axis=None)
    require((np.diff(kind(**options)(channel.copy(), None)) >= 0).all())


@RULES.add
def a_channel_in_pieces_gets_the_same_values(
    kind: type[Normalizer], options: Mapping[str, Any]
) -> None:
    """If it has ``in_pieces``."""
    for values in CHANNELS.values():
        made = kind(**options)
        if not isinstance(made, NormalizerInPieces):
            return
        channel = values.astype(np.float32)
        expected = made(channel.copy(), None)
        flat = channel.ravel()
        pieces = (flat[start : start + 7].copy() for start in range(0, flat.size, 7))
        change = made.in_pieces(pieces)
        found = channel.copy()
        for part in found:
            change(part)
        np.testing.assert_allclose(found, expected, atol=ROUNDING)
