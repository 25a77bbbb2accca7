"""Which predicted objects are right, for what their scores are to mean."""

import numpy as np

from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.instances import Instances
from autoseg.tasks.instance.scores import judged


def overlapping(*boxes):
    masks = [(n, Mask(start, np.ones(size, bool))) for n, start, size in boxes]
    labels, shared = painted((20, 20), masks)
    return Instances(labels, {}, {}, shared)


def test_of_two_that_are_one_object_only_one_is_right():
    truth = overlapping((1, (2, 2), (4, 10)), (2, (0, 5), (10, 3)))
    found = overlapping(
        (5, (2, 2), (4, 10)),  # the first
        (6, (2, 2), (4, 8)),  # the first again, 32 of 40
        (7, (0, 5), (10, 3)),  # the second, whole: it is under others
        (8, (15, 15), (3, 3)),  # nothing
    )

    rows = judged(found, truth, {5: 0.5, 6: 0.9, 7: 0.8, 8: 0.7})

    wanted = [[0.5, 1, 1], [0.9, 0.8, 0], [0.8, 1, 1], [0.7, 0, 0]]
    np.testing.assert_allclose(sorted(rows.tolist()), sorted(wanted))


def test_an_object_is_right_in_its_class_only_and_unknown_classes_are_left_out():
    labels = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3, 3]], np.int32)
    truth = Instances(labels, {1: 1, 2: 2, 3: 1})
    found = Instances(labels + 10 * (labels > 0), {11: 1, 12: 1, 13: 3})
    told = {11: 0.9, 12: 0.8, 13: 0.4}

    assert judged(found, truth, told).tolist() == [
        [0.9, 1, 1],
        [0.8, 0, 0],
        [0.4, 0, 0],
    ]
    partly = Instances(labels, {1: 1, 2: 2, 3: 1}, unknown=(3,))
    assert judged(found, partly, told).tolist() == [[0.9, 1, 1], [0.8, 0, 0]]
    assert judged(found, truth, {12: 0.8}).tolist() == [[0.8, 0, 0]]
