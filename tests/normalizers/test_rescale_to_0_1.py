"""Each image from its minimum to its maximum."""

import numpy as np

from autoseg.normalizers.rescale_to_0_1 import RescaleTo01


def test_the_smallest_becomes_0_and_the_largest_1():
    channel = np.array([-10, 0, 10, 30], np.float32)

    assert RescaleTo01()(channel).tolist() == [0, 0.25, 0.5, 1]


def test_a_constant_image_becomes_zero():
    assert not RescaleTo01()(np.full((2, 2), -3, np.float32)).any()
