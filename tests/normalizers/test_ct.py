"""Hounsfield units on one scale for the whole data set."""

import numpy as np

from autoseg.normalizers.ct import CT


def test_values_are_clipped_then_shifted_then_scaled():
    scale = CT(mean=50.0, std=25.0, percentile_00_5=-100.0, percentile_99_5=200.0)
    channel = np.array([-1000, -100, 50, 75, 3000], np.float32)

    # (-100 - 50) / 25 = -6 and (200 - 50) / 25 = 6
    np.testing.assert_array_equal(scale(channel), [-6, -6, 0, 1, 6])


def test_a_data_set_without_contrast_does_not_divide_by_zero():
    scale = CT(mean=5.0, std=0.0, percentile_00_5=5.0, percentile_99_5=5.0)

    assert not scale(np.array([1, 5, 9], np.float32)).any()
