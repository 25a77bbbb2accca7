"""The inner annotation of an instance task."""

import numpy as np

from autoseg.spec.instances import Instances, as_instances


def test_an_array_of_instances_is_their_map_of_ids():
    labels = np.array([[0, 70_000], [3, 3]], np.int32)

    found = np.asarray(Instances(labels, {3: 2}))

    assert found.tolist() == [[0, 70_000], [3, 3]]


def test_ids_are_those_that_occur_and_background_is_none():
    instances = as_instances(np.array([[-1, 0, 9], [9, 4, 0]]))

    assert instances.ids == [4, 9]


def test_an_id_without_class_has_class_1():
    instances = Instances(np.array([5, 6], np.int32), {6: 3})

    assert [instances.class_of(i) for i in (5, 6)] == [1, 3]


def test_instances_of_one_class_keep_ids_and_scores():
    instances = Instances(
        np.array([5, 6, 0, 8], np.int32), {5: 1, 6: 2, 8: 2}, {5: 0.5, 6: 0.75, 8: 0.25}
    )

    only = instances.only(2)

    assert only.labels.tolist() == [0, 6, 0, 8]
    assert dict(only.scores) == {6: 0.75, 8: 0.25}
