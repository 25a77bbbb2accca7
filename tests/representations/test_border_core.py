"""Borders and cores."""

import numpy as np

from autoseg.representations.border_core import BorderCore
from tests.representations.maps import balls, same_objects


def test_a_border_lies_on_both_sides_between_instances_and_towards_the_background():
    labels = np.zeros((7, 10), np.int32)
    labels[1:6, 0:5] = 1
    labels[1:6, 5:9] = 2

    classes = BorderCore(2).targets(labels, (1.0, 1.0))["border_core"]

    middle = classes[3].tolist()
    # The first instance goes on beyond the edge, so there is no border on its left.
    assert middle == [1, 1, 1, 1, 2, 2, 1, 1, 2, 0]


def test_slices_far_apart_are_parted_though_the_thickness_is_in_voxels():
    spacing = (8.0, 1.0, 1.0)
    labels = balls((9, 30, 30), spacing, 16.0, [(16, 15, 15), (48, 15, 15)])
    made = BorderCore(3)

    found, _ = made.decode(made.encode(labels, spacing), spacing)

    assert same_objects(found, labels, 0.6)


def test_an_instance_thinner_than_its_border_keeps_a_core():
    labels = np.zeros((9, 20), np.int32)
    labels[3:5, 2:18] = 1
    made = BorderCore(2, thickness=[3, 3])

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels)


def test_a_piece_without_a_core_is_an_instance_of_its_own():
    output = np.zeros((3, 8, 8), np.float32)
    output[0] = 1
    output[:, 2:5, 2:5] = np.array([0.0, 0.2, 0.8])[:, None, None]

    found, scores = BorderCore(2).decode({"border_core": output}, (1.0, 1.0))

    assert (found > 0).sum() == 9
    assert scores == {1: 1.0}


def test_the_border_is_never_thinner_than_a_voxel_nor_along_axes_without_room():
    measured = {
        "spacing": [4.0, 0.5, 0.5],
        "shortest_axis": {"p50": 20.0},
        "inner_radius": {"p5": 4.5},
        "voxels_along": [3, 40, 40],
        "least_voxels": 7,
    }

    options = BorderCore.configure(measured)

    # a third of 4.5 is 1.5 units: 3 voxels of 0.5; 3 slices are too few for a border
    assert options == {"thickness": [0.0, 3.0, 3.0], "least": 7}


def test_stacked_instances_of_two_slices_have_cores_that_do_not_meet():
    labels = np.zeros((8, 20, 20), np.int32)
    for number in range(3):  # the middle one lies between two others
        labels[2 * number + 1 : 2 * number + 3, 4:16, 4:16] = number + 1
    made = BorderCore(3, thickness=[0, 2, 2])

    found, _ = made.decode(made.encode(labels, (8.0, 1.0, 1.0)), (8.0, 1.0, 1.0))

    # The slice where two meet is as far from both cores: one of two slices may be lost.
    assert same_objects(found, labels, 0.45)
