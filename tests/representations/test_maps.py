"""Depths and numbers of maps of ids."""

import numpy as np
import pytest
from scipy import ndimage

from autoseg.representations import maps as _maps
from autoseg.representations.maps import depth, in_order
from tests.representations.maps import balls


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 0.5), (0.3, 1.0)])
def test_depth_is_the_distance_to_the_nearest_voxel_of_something_else(spacing):
    labels = np.random.default_rng(0).integers(0, 3, (9, 11)).repeat(3, 0).repeat(4, 1)

    found = depth(labels.astype(np.int32), spacing)

    for number in (1, 2):
        wanted = ndimage.distance_transform_edt(labels == number, sampling=spacing)
        inside = labels == number
        np.testing.assert_allclose(found[inside], wanted[inside], rtol=1e-6)
    assert not found[labels == 0].any()


def test_deep_instances_have_the_same_depth_as_shallow_ones(monkeypatch):
    spacing = (3.0, 1.0, 1.0)
    centers = [(15, 12, 12), (15, 12, 26), (27, 24, 18)]
    labels = balls((14, 36, 36), spacing, 10.0, centers)

    near = depth(labels, spacing)
    monkeypatch.setattr(_maps, "FAR_STEPS", 1)

    np.testing.assert_array_equal(depth(labels, spacing), near)


def test_an_instance_that_fills_the_array_is_as_deep_as_the_array_is_wide():
    found = depth(np.ones((3, 4), np.int32), (1.0, 1.0))

    assert (found == 5).all()  # 3, 4, 5


def test_ids_are_numbered_as_they_occur_and_the_old_ones_are_told():
    labels, old = in_order(np.array([[0, 9, 9], [2, -1, 9], [70, 2, 0]]))

    assert labels.tolist() == [[0, 1, 1], [2, 0, 1], [3, 2, 0]]
    assert old.tolist() == [9, 2, 70]
