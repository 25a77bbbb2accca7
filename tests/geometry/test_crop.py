"""The nonzero region of images."""

import numpy as np
import pytest
from scipy import ndimage

from autoseg.geometry.crop import (
    bounding_box,
    fill_holes,
    nonzero,
    nonzero_mask,
    paste,
)
from tests.each import each


@each("seed", range(12))
def test_holes_are_filled_as_scipy_fills_them(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 14, size=2 + seed % 2)
    mask = rng.random(shape) < rng.uniform(0.3, 0.8)

    np.testing.assert_array_equal(fill_holes(mask), ndimage.binary_fill_holes(mask))


@pytest.mark.parametrize("seed", range(8))
def test_a_volume_is_nonzero_where_any_channel_is_and_in_holes(seed):
    rng = np.random.default_rng(seed)
    image = np.zeros((2, 12, 11, 10), np.float32)
    image[:, 2:9, 1:8, 3:9] = rng.random((2, 7, 7, 6)) < 0.45

    mask = nonzero_mask(image)

    np.testing.assert_array_equal(mask, ndimage.binary_fill_holes(image.any(axis=0)))


def test_a_hole_in_a_photograph_stays_zero():
    ring = np.ones((1, 5, 5), np.float32)
    ring[0, 2, 2] = 0

    assert not nonzero_mask(ring)[2, 2]


def test_negative_values_are_not_zero():
    image = np.array([[[0.0, -1.0, 0.0]]])

    assert nonzero(image).tolist() == [[False, True, False]]


def test_the_bounding_box_holds_all_that_is_true_and_no_more():
    mask = np.zeros((6, 7, 8), dtype=bool)
    mask[2, 1, 3] = mask[4, 5, 3] = True

    assert bounding_box(mask) == (slice(2, 5), slice(1, 6), slice(3, 4))


def test_the_box_of_nothing_is_everything():
    mask = np.zeros((3, 4), dtype=bool)

    assert bounding_box(mask) == (slice(0, 3), slice(0, 4))


def test_pasting_undoes_cropping_and_fills_the_rest():
    whole = np.arange(20, dtype=np.int16).reshape(4, 5)
    box = (slice(1, 3), slice(2, 5))

    pasted = paste(whole[box], box, (4, 5), fill=-7)

    assert pasted.dtype == np.int16
    np.testing.assert_array_equal(pasted[box], whole[box])
    assert (pasted == -7).sum() == 20 - 6


def test_each_channel_can_be_filled_with_a_value_of_its_own():
    inside = np.zeros((2, 1, 1), np.float32)

    pasted = paste(inside, (slice(0, 1), slice(0, 1)), (2, 2), fill=(1.0, 0.5))

    np.testing.assert_array_equal(pasted[:, 1, 1], [1.0, 0.5])
