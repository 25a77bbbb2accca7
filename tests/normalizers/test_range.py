"""Normalization of values near both ends of float32."""

import warnings

import numpy as np
import pytest

from autoseg.normalizers.ct import CT
from autoseg.normalizers.rescale_to_0_1 import RescaleTo01
from autoseg.normalizers.zscore import ZScore

BIGGEST = float(np.finfo(np.float32).max)


def tissue(shape=(12, 16, 16)):
    return np.random.default_rng(5).normal(100, 15, shape)


def piecewise(normalizer, channel):
    """Normalize by pieces, as large images are."""
    flat = channel.reshape(-1)
    change = normalizer.in_pieces(
        flat[start : start + 500].copy() for start in range(0, flat.size, 500)
    )
    parts = [flat[start : start + 700].copy() for start in range(0, flat.size, 700)]
    for part in parts:
        change(part)
    return np.concatenate(parts).reshape(channel.shape)


def whole(normalizer, channel):
    return normalizer(channel.copy())


@pytest.fixture(autouse=True)
def loud():
    """A warning of NumPy's is a failure: users would see it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("way", [whole, piecewise])
@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-11, 1e-9, 1.0, 1e15, 1e30, 1e36])
def test_the_deviation_is_1_whatever_the_unit(way, scale):
    channel = (tissue() * scale).astype(np.float32)
    wanted = (tissue() - tissue().mean()) / tissue().std()

    for normalizer in (ZScore(), RescaleTo01()):
        assert np.isfinite(way(normalizer, channel)).all()
    np.testing.assert_allclose(way(ZScore(), channel), wanted, atol=1e-4)


@pytest.mark.parametrize("way", [whole, piecewise])
@pytest.mark.parametrize("value", [BIGGEST, -BIGGEST, 1e20, 1e30, 2e19, -1e25])
@pytest.mark.parametrize("count", [1, 50])
def test_sentinels_do_not_overflow(way, value, count):
    channel = tissue().astype(np.float32)
    channel.reshape(-1)[:count] = value
    exact = channel.astype(np.float64)

    found = way(ZScore(), channel)

    wanted = (exact - exact.mean()) / exact.std()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("way", [whole, piecewise])
def test_the_range_of_all_float32_is_mapped_to_0_to_1(way):
    channel = np.array([-BIGGEST, 0, BIGGEST], np.float32)

    np.testing.assert_allclose(way(RescaleTo01(), channel), [0, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e-11, 1.0, 1e30])
def test_a_range_is_mapped_to_0_to_1_whatever_the_unit(scale):
    channel = (np.array([2, 3, 6]) * scale).astype(np.float32)

    found = RescaleTo01()(channel)

    np.testing.assert_allclose(found, [0, 0.25, 1], atol=1e-5)


@pytest.mark.parametrize("scale", [1e-20, 1e-11, 1.0])
def test_ct_divides_by_small_deviations(scale):
    channel = (np.array([90, 100, 110, 500]) * scale).astype(np.float32)

    found = CT(100 * scale, 10 * scale, 80 * scale, 120 * scale)(channel)

    np.testing.assert_allclose(found, [-1, 0, 1, 2], atol=1e-5)


@pytest.mark.parametrize("way", [whole, piecewise])
@pytest.mark.parametrize("value", [0.0, 1e-11, 5.0, -1000.0, 1e30, BIGGEST])
def test_a_constant_becomes_0_at_any_size(way, value):
    channel = np.full((10, 60), value, np.float32)

    assert np.abs(way(ZScore(), channel)).max() < 1e-5
    assert np.abs(way(RescaleTo01(), channel)).max() < 1e-5


def test_ct_of_a_constant_is_0():
    found = CT(5.0, 0.0, 5.0, 5.0)(np.array([3, 5, 7], np.float32))

    assert not found.any()


def test_models_of_nnunet_keep_its_least_deviation():
    channel = (tissue() * 1e-11).astype(np.float32)
    wanted = (channel - channel.mean()) / np.float32(1e-8)

    np.testing.assert_allclose(ZScore(smallest=1e-8)(channel), wanted, rtol=1e-5)
