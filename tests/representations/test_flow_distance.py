"""Flows to the middle, and distances."""

import numpy as np

from autoseg.representations._flows import middles
from autoseg.representations.flow_distance import FlowDistance
from autoseg.representations.maps import depth
from tests.representations.maps import rods, same_objects


def test_flows_of_a_square_point_to_its_middle():
    labels = np.zeros((11, 11), np.int32)
    labels[1:10, 1:10] = 1

    flow = FlowDistance(2).encode(labels, (1.0, 1.0))["flow"]

    np.testing.assert_allclose(flow[:, 5, 1], [0, 1], atol=1e-6)
    np.testing.assert_allclose(flow[:, 9, 5], [-1, 0], atol=1e-6)
    np.testing.assert_allclose(flow[:, 5, 5], 0, atol=1e-6)
    assert not flow[:, 0].any()


def test_flows_go_around_the_corner_of_an_l():
    labels = np.zeros((24, 24), np.int32)
    labels[2:22, 2:7] = 1
    labels[17:22, 2:22] = 1

    flow = FlowDistance(2).encode(labels, (1.0, 1.0))["flow"]

    assert flow[0, 4, 4] > 0.9  # from the upper end straight down, not to the right
    assert flow[1, 19, 18] < -0.9


def test_bent_rods_come_back():
    labels = rods()
    made = FlowDistance(2, reach=80)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert len(np.unique(labels)) > 5
    assert same_objects(found, labels)


def crescent_around_a_disk():
    """A disk, and a crescent whose center of mass lies in it: they touch."""
    rows, columns = np.indices((48, 48))
    labels = np.zeros((48, 48), np.int32)
    labels[np.hypot(rows - 24, columns - 24) <= 20] = 2
    labels[np.hypot(rows - 24, columns - 29) <= 14] = 1
    return labels


def test_the_middle_of_a_crescent_is_deep_inside_of_it():
    labels = crescent_around_a_disk()
    deep = depth(labels, (1.0, 1.0))

    middle = middles(labels, 2, deep, (1.0, 1.0))[1]

    center = np.argwhere(labels == 2).mean(0)
    assert labels[tuple(np.rint(center).astype(int))] == 1
    assert deep[tuple(middle)] > 0.8 * deep[labels == 2].max()


def test_a_crescent_and_the_disk_that_it_touches_come_back_as_two():
    labels = crescent_around_a_disk()
    made = FlowDistance(2)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels, 0.95)


def test_the_distance_is_zero_where_instances_touch():
    labels = np.ones((5, 8), np.int32)
    labels[:, 4:] = 2

    distance = FlowDistance(2).encode(labels, (1.0, 1.0))["distance"][0]

    assert (distance[:, 3:5] == 0).all()
    assert (distance[:, :3] > 0).all()


def test_instances_whose_flow_points_elsewhere_are_dropped():
    labels = np.zeros((24, 24), np.int32)
    labels[2:10, 2:10] = 1
    labels[13:21, 13:21] = 2
    made = FlowDistance(2, agree=0.5)
    outputs = made.encode(labels, (1.0, 1.0))
    outputs["flow"][:, 13:21, 13:21] = 0

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert np.unique(found).tolist() == [0, 1]
