"""Centers."""

import numpy as np
import pytest

from autoseg.representations.centers import Centers
from autoseg.spec.arrays.small_masks import enlarged, shrunk
from tests.representations.test_prototypes import CROSS, FLAT, crossing, wholes


def test_objects_that_cross_come_back_whole():
    made = Centers(2)

    assert wholes(made.find(made.encode(crossing(), FLAT), FLAT)) == CROSS


def test_a_small_mask_says_how_full_its_cells_are():
    inside = np.zeros((4, 6), bool)
    inside[:3, :3] = True

    # Cells of 2 x 3 voxels: full, empty; half full, empty.
    np.testing.assert_allclose(shrunk(inside, 2), [[1, 0], [0.5, 0]], atol=1e-6)
    assert shrunk(inside, 12).mean() == pytest.approx(inside.mean())


def test_between_points_masks_are_linear_and_beyond_them_constant():
    found = enlarged(np.array([[0.0, 1.0]]), (1, 4))

    # Points are in the middles of halves, at 1 and 3 of 4; voxels at 0.5, 1.5, ...
    np.testing.assert_allclose(found, [[0, 0.25, 0.75, 1]])


def test_a_coarse_grid_loses_what_a_fine_one_keeps():
    layers = np.zeros((1, 40, 40), np.int32)
    layers[0, np.arange(4, 36), np.arange(4, 36)] = 1
    layers[0, np.arange(4, 36), np.arange(5, 37)] = 1

    def overlap(edge):
        made = Centers(2, edge=edge)
        found = made.find(made.encode(layers, FLAT), FLAT)
        truth = layers[0] > 0
        shared = sum(truth[mask.box][mask.inside].sum() for mask, _ in found)
        return shared / truth.sum()

    assert overlap(32) > 0.9 > overlap(4)
