"""What was taken for what is counted by hand."""

import math

import numpy as np

from autoseg.report.confusion import confused_objects, confused_voxels, described
from autoseg.spec.instances import Instances


def test_voxels_are_counted_by_what_they_are_and_what_was_found():
    truth = np.array([[0, 0, 1, 1], [2, 2, 3, 3]])  # 3: nobody annotated
    said = np.array([[0, 1, 1, 2], [2, 0, 1, 0]])

    counts = confused_voxels(truth, said, {"a": (1,), "b": (2,)})

    # Rows and columns: a, b, background.
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1], [1, 0, 1]]


def test_objects_are_counted_by_class_and_strangers_apart():
    truth, said = np.zeros((2, 12), int), np.zeros((2, 12), int)
    truth[:, 0:3], truth[:, 4:7], truth[:, 8:9] = 1, 2, 3
    said[:, 0:3], said[:, 4:7], said[:, 10:12] = 7, 8, 9

    counts = confused_objects(
        Instances(truth, {1: 5, 2: 5, 3: 6}), Instances(said, {7: 5, 8: 6, 9: 6}),
        [5, 6], 0.5,
    )  # fmt: skip

    assert counts.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_shares_are_those_of_a_row_and_unknown_without_anything():
    found = described([np.array([[3, 1], [0, 0]])] * 2, ["a"], "background", "voxels")

    assert found["shares"][0] == [0.75, 0.25] and found["counts"] == [[6, 2], [0, 0]]
    assert math.isnan(found["shares"][1][0]) and found["cases"] == 2
    assert described([], ["a"], "background", "voxels") is None
