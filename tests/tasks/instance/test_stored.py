"""One map tells ids and classes apart."""

import numpy as np

from autoseg.spec.instances import Instances
from autoseg.tasks.instance.stored import class_index, packed, unpacked

NUMBERS = {"cell": 4, "debris": 9, "glass": 2}


def test_the_nth_instance_of_each_class_has_a_value_of_its_own():
    given = Instances(np.array([[0, 7, 7], [8, 5, 0]], np.int32), {5: 9, 7: 4, 8: 2})

    stored = packed(given, NUMBERS)

    # ids 5, 7 and 8 are the first to third instance, of the 2nd, 1st and 3rd of 3 kinds
    assert stored.tolist() == [[0, 4, 4], [9, 2, 0]]
    assert class_index(stored, 3).tolist() == [[0, 1, 1], [3, 2, 0]]


def test_what_comes_back_has_the_classes_but_other_ids():
    stored = np.array([[-1, 4, 4], [9, 2, 0]])

    found = unpacked(stored, NUMBERS)

    assert found.classes == {2: 9, 4: 4, 9: 2}
    assert found.labels.tolist() == [[0, 4, 4], [9, 2, 0]]


def test_instances_without_a_class_are_of_the_first():
    assert packed(Instances(np.array([0, 1]), {}), NUMBERS).tolist() == [0, 1]
