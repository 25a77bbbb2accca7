"""Zero mean and unit standard deviation."""

import numpy as np
import pytest

from autoseg.normalizers.zscore import ZScore


def test_the_image_has_mean_0_and_standard_deviation_1():
    # Mean 4, variance ((-3)^2 + (-1)^2 + 1^2 + 3^2) / 4 = 5.
    channel = np.array([1, 3, 5, 7], np.float32)

    normalized = ZScore()(channel)

    np.testing.assert_allclose(normalized, np.array([-3, -1, 1, 3]) / 5**0.5, 1e-6)


def test_mean_and_standard_deviation_are_those_inside_the_mask():
    channel = np.array([0, 0, 1, 3, 5, 7], np.float32)

    normalized = ZScore()(channel, channel > 0)

    wanted = np.array([0, 0, -3, -1, 1, 3]) / 5**0.5
    np.testing.assert_allclose(normalized, wanted, 1e-6)


def test_a_constant_image_becomes_zero():
    assert not ZScore()(np.full((3, 3), 5, np.float32)).any()


def test_the_arithmetic_is_float32_in_place():
    channel = np.random.default_rng(0).normal(100, 30, (7, 8, 9)).astype(np.float32)
    wanted = (channel - channel.mean()) / channel.std()

    normalized = ZScore()(channel)

    assert normalized is channel
    np.testing.assert_array_equal(normalized, wanted)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("size", [60, 128])  # below and above what is done in one part
def test_the_deviation_is_numpys_to_the_bit_in_any_order_of_axes(size, axes):
    rng = np.random.default_rng(size)
    shape = (size, size + 3, size + 5)
    values = rng.normal(700, 130, shape).astype(np.float32).transpose(axes)
    wanted = values - values.mean()
    wanted /= values.std()

    found = ZScore()(values)

    assert np.array_equal(found, wanted)
