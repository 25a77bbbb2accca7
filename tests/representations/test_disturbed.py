"""Decoding of maps as networks give them: soft at borders, noisy, with gaps."""

import numpy as np
import pytest

from autoseg.representations.border_core import BorderCore
from autoseg.representations.flow_distance import FlowDistance, _joined
from tests.representations.maps import balls, disturbed, rods, same_objects

HEXAGON = [(30, 26), (30, 44), (46, 35), (46, 53), (46, 17), (62, 26), (62, 44)]


def crowd():
    """Seven disks, 20 voxels across and 18 apart: each touches two or more."""
    return balls((92, 70), (1.0, 1.0), 10.0, HEXAGON)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_soft_and_noisy_flows_neither_shatter_nor_merge_touching_disks(seed):
    labels = crowd()
    made = FlowDistance(2, least=30)
    outputs = disturbed(made.encode(labels, (1.0, 1.0)), made.heads, 1.5, 0.5, seed)

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert same_objects(found, labels, 0.7)


def test_soft_and_noisy_borders_neither_shatter_nor_merge_touching_disks():
    labels = crowd()
    made = BorderCore(2, thickness=[2, 2], least=30)
    outputs = disturbed(made.encode(labels, (1.0, 1.0)), made.heads, 1.0, 0.2)

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert same_objects(found, labels, 0.7)


@pytest.mark.parametrize("seed", [0, 2])
def test_soft_and_noisy_flows_keep_thin_bent_rods_whole(seed):
    labels = rods(seed)
    made = FlowDistance(2, reach=80, least=30)
    outputs = disturbed(made.encode(labels, (1.0, 1.0)), made.heads, 1.0, 0.2, seed)

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert same_objects(found, labels, 0.6)


def test_soft_and_noisy_flows_keep_balls_in_thick_slices_apart():
    spacing = (4.0, 1.0, 1.0)
    centers = [(18, 16, 16), (18, 16, 34), (36, 16, 25), (36, 32, 16), (18, 33, 30)]
    labels = balls((14, 50, 50), spacing, 10.0, centers)
    made = FlowDistance(3, least=100)
    outputs = disturbed(made.encode(labels, spacing), made.heads, 1.0, 0.3)

    found, _ = made.decode(outputs, spacing)

    assert same_objects(found, labels, 0.6)


def test_a_hole_in_all_maps_leaves_an_object_one():
    labels = crowd()
    made = FlowDistance(2, least=30)
    outputs = made.encode(labels, (1.0, 1.0))
    for maps in outputs.values():
        maps[:, 27:31, 19:23] = 0  # beside the middle (30, 26)

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert same_objects(found, labels, 0.9)


def test_what_is_left_at_a_border_joins_its_own_object_and_not_both():
    labels = np.array([[1, 1, 1, 3, 2, 2, 2]], np.int32)
    # peaks 1.0 on both sides; the piece in between rises towards the left one
    distance = np.array([[0.8, 1.0, 0.6, 0.3, 0.1, 0.9, 1.0]])

    found = _joined(labels, distance, 0.75)

    # 3 over the pass 0.3, its own peak, to 1; the pass to 2 is 0.1, of peaks 1 and 1
    assert found[0, 3] == found[0, 0]
    assert found[0, 3] != found[0, 4]


def test_two_halves_of_one_ridge_are_one():
    labels = np.array([[1, 1, 1, 2, 2, 2]], np.int32)
    high = np.array([[0.5, 1.0, 0.8, 0.8, 0.9, 0.5]])  # 0.8 / 0.9 is over 0.75
    low = np.array([[0.5, 1.0, 0.6, 0.6, 0.9, 0.5]])  # 0.6 / 0.9 is not

    assert len(np.unique(_joined(labels, high, 0.75))) == 1
    assert len(np.unique(_joined(labels, low, 0.75))) == 2
