import numpy as np
import pytest
from scipy import ndimage

from autoseg.geometry import mapped
from autoseg.geometry.crop import nonzero_mask
from autoseg.geometry.slabs import holes
from autoseg.geometry.slabs.components import component_sizes
from tests.each import each


@each("shape", [(9, 11, 12), (14, 15)])
@each("share", [0.1, 0.25, 0.4])
@each("rows", [1, 4])
def test_components_over_slabs_are_those_of_the_whole(shape, share, rows):
    mask = np.random.default_rng(0).random(shape) < share
    whole, count = ndimage.label(mask, np.ones((3,) * len(shape)))
    known = np.bincount(whole.ravel())[1:]

    slabs = (mask[start : start + rows] for start in range(0, shape[0], rows))
    found = component_sizes(slabs, len(shape))

    assert len(found) == count
    assert sorted(found) == sorted(known)


def test_an_empty_mask_has_no_component():
    assert len(component_sizes([np.zeros((2, 3, 3), bool)] * 2, 3)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_holes_are_filled_over_slabs_as_in_the_whole(monkeypatch, seed):
    monkeypatch.setattr(holes, "SLAB", 120)
    image = (np.random.default_rng(seed).random((2, 9, 8, 10)) < 0.55).astype(np.uint8)
    image[:, 3:6, 2:6, 3:7] = 0
    image[0, 2:7, 1:7, 2:8] |= np.uint8(1) - np.pad(np.ones((3, 4, 4), np.uint8), 1)
    known = ndimage.binary_fill_holes((image != 0).any(0))
    turned = image.transpose(0, 3, 1, 2)[:, ::-1]

    found = holes.nonzero_mask_of(turned)

    assert found.sum() > (image != 0).any(0).sum()
    np.testing.assert_array_equal(found, known.transpose(2, 0, 1)[::-1])
    np.testing.assert_array_equal(found, nonzero_mask(turned))


def test_a_picture_has_no_holes_and_an_image_without_zeros_no_mask():
    picture = np.pad(np.ones((1, 5, 5), np.uint8), ((0, 0), (1, 1), (1, 1)))
    picture[0, 3, 3] = 0

    np.testing.assert_array_equal(holes.nonzero_mask_of(picture), picture[0] != 0)
    assert holes.nonzero_mask_of(picture[:, 1:3, 1:-1]) is None
    assert mapped.file_turn(picture.transpose(0, 2, 1), 2).axes == (1, 0)
