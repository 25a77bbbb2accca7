"""Rules that every normalizer keeps, whatever it does."""

import numpy as np
import pytest

from autoseg.normalizers import NORMALIZERS

OPTIONS = {
    "ct": {"mean": 40.0, "std": 12.0, "percentile_00_5": 3.0, "percentile_99_5": 90.0}
}
CHANNELS = {
    "varied": np.random.default_rng(0).uniform(0, 255, (4, 5, 6)),
    "constant": np.full((4, 5), 7.0),
    "zero": np.zeros((3, 3, 3)),
    "one voxel": np.full((1, 1), 100.0),
}


def _normalizer(name):
    return NORMALIZERS[name](**OPTIONS.get(name, {}))


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_shape_type_and_finiteness_are_kept(name, kind):
    channel = CHANNELS[kind].astype(np.float32)
    shape = channel.shape
    for mask in (None, channel > 50, np.zeros(shape, dtype=bool)):
        normalized = _normalizer(name)(channel.copy(), mask)

        assert normalized.shape == shape
        assert normalized.dtype == np.float32
        assert np.isfinite(normalized).all()


@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_outside_the_mask_nothing_changes(name):
    channel = CHANNELS["varied"].astype(np.float32)
    mask = channel > 100

    normalized = _normalizer(name)(channel.copy(), mask)

    np.testing.assert_array_equal(normalized[~mask], channel[~mask])


@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_the_order_of_intensities_is_kept(name):
    channel = np.sort(CHANNELS["varied"].astype(np.float32), axis=None)

    normalized = _normalizer(name)(channel.copy(), None)

    assert (np.diff(normalized) >= 0).all()


@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("name", NORMALIZERS.names())
def test_a_channel_in_pieces_gets_the_same_values(name, kind):
    channel = CHANNELS[kind].astype(np.float32)
    if not hasattr(NORMALIZERS[name], "in_pieces"):
        pytest.skip("normalizes whole images only")
    expected = _normalizer(name)(channel.copy(), None)

    flat = channel.ravel()
    pieces = (flat[start : start + 7].copy() for start in range(0, flat.size, 7))
    change = _normalizer(name).in_pieces(pieces)
    found = channel.copy()
    for part in found:
        change(part)

    np.testing.assert_allclose(found, expected, atol=2e-6)
