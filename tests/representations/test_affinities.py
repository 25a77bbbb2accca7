"""Affinities and the mutex watershed."""

import numpy as np

from autoseg.representations._mutex import mutex_watershed
from autoseg.representations.affinities import Affinities
from tests.representations.maps import balls, rods, same_objects


def test_neighbors_of_one_instance_have_affinity_1_and_the_background_0():
    labels = np.array([[1, 1, 2, 0, 0]], np.int32)

    made = Affinities(2, far=[0, 2]).encode(labels, (1.0, 1.0))["affinities"]

    assert made[:, 0].tolist() == [[0] * 5, [1, 0, 0, 0, 0], [0] * 5]


def test_thin_slices_of_stacked_instances_come_back_exactly():
    spacing = (8.0, 1.0, 1.0)
    labels = balls(
        (8, 24, 24), spacing, 12.0, [(8, 12, 12), (28, 12, 12), (52, 12, 12)]
    )
    made = Affinities(3, far=[2, 8, 8])

    found, _ = made.decode(made.encode(labels, spacing), spacing)

    assert same_objects(found, labels, 0.999)


def test_instances_without_a_background_come_back_exactly():
    labels = (np.indices((40, 40)) // 10 * np.array([10, 1])[:, None, None]).sum(0) + 1
    made = Affinities(2)

    found, _ = made.decode(made.encode(labels.astype(np.int32), (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels, 0.999)


def test_bent_rods_come_back():
    labels = rods(seed=1)
    made = Affinities(2)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels)


def test_what_repels_more_than_it_attracts_stays_apart():
    near = np.array([[1.0, 0.6, 1.0, 0.0]])  # the second bond is a weak one
    far = np.array([[0.1, 0.1, 0.0, 0.0]])  # two voxels on, it is another instance
    affinities = np.stack([np.zeros((1, 4)), near, far])

    apart = mutex_watershed(
        affinities, [(1, 0), (0, 1), (0, 2)], 2, np.ones((1, 4), bool), 0.9
    )
    joined = mutex_watershed(
        affinities[:2], [(1, 0), (0, 1)], 2, np.ones((1, 4), bool), 0.9
    )

    assert len(np.unique(apart)) == 2
    assert apart[0, 0] == apart[0, 1] != apart[0, 2] == apart[0, 3]
    assert len(np.unique(joined)) == 1
