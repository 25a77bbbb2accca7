"""Sides of classes: where mirrored images are such as there will never be."""

from __future__ import annotations

import numpy as np
import pytest

from autoseg.spec.arrays.windowed import windowed
from autoseg.tasks.semantic import SemanticTask
from autoseg.tasks.semantic.sides import measure_sides, pool_sides, sided_axes

CLASSES = {"left": (1,), "right": (2,), "both": (1, 2), "never": (3,)}


def two_blocks(shape=(4, 6, 20)):
    """Return a map with 1 in the first half along the last axis, 2 in the second."""
    labels = np.zeros(shape, np.int16)
    labels[:, 1:-1, 2 : shape[2] // 2] = 1
    labels[:, 1:-1, shape[2] // 2 : -2] = 2
    return labels


def test_a_class_lies_before_or_behind_the_middle_of_all_or_at_it():
    sides = measure_sides(two_blocks(), CLASSES)
    assert sides == {"left": [0, 0, -1], "right": [0, 0, 1], "both": [0, 0, 0]}


def test_a_map_that_is_large_or_read_in_parts_is_measured_alike():
    small = measure_sides(two_blocks(), CLASSES)
    large = two_blocks((150, 200, 190))
    assert measure_sides(large, CLASSES) == small
    assert measure_sides(windowed(large), CLASSES) == small


def test_voxels_that_nobody_annotated_belong_to_no_class():
    labels = two_blocks()
    labels[:, :, 15:] = 7  # `ignore`
    labels[0] = -1  # outside of the image
    labels[1] = 0
    labels[1, :, 12:] = 7
    labels[1, 1:5, 10:12] = 2
    assert measure_sides(labels, {"a": (1,), "b": (2,)}) == {
        "a": [1, 0, -1],  # in rows 2 and 3, as of b there is some in row 1
        "b": [-1, 0, 1],
    }


@pytest.mark.parametrize("classes", [{"left": (1,)}, {"left": (1,), "never": (3,)}, {}])
def test_of_one_class_alone_nothing_is_said(classes):
    assert measure_sides(two_blocks(), classes) == {}


def test_cases_are_counted_by_side():
    found = [{"a": [-1, 0]}, {"a": [-1, 1], "b": [0, 0]}, {}, {"a": [1, 1]}]
    assert pool_sides(found) == {
        "a": [[2, 0, 1], [0, 1, 2]],
        "b": [[0, 1, 0], [0, 1, 0]],
    }


@pytest.mark.parametrize(
    ("counts", "sided"),
    [
        ([0, 0, 100], True),
        ([100, 0, 0], True),
        ([5, 0, 95], True),
        ([6, 0, 94], False),  # a side is one that nearly all have
        ([0, 51, 49], False),  # in most cases it lies on none
        ([0, 20, 20], True),
        ([0, 0, 5], False),  # five coins fall alike once in sixteen times
        ([0, 0, 6], True),
        ([0, 0, 0], False),
    ],
)
def test_an_axis_has_sides_if_nearly_all_cases_agree_and_are_many(counts, sided):
    assert (0 in sided_axes({"a": [counts]})) is sided


def test_the_more_is_asked_the_more_cases_have_to_agree():
    even = [50, 0, 50]
    assert sided_axes({"a": [[0, 0, 8], even, even]}) != {}
    assert sided_axes({name: [[0, 0, 8], even, even] for name in "abcdefgh"}) == {}


def test_the_clearest_class_is_named():
    counts = {"rare": [[0, 0, 9]], "common": [[0, 3, 97]]}
    assert sided_axes(counts) == {
        0: "common lies on one side in 97 of 100 cases, on the other in 0"
    }


def test_the_fingerprint_of_label_maps_knows_their_sides():
    task = SemanticTask(labels={"background": 0, "left": 1, "right": 2})
    measured = [task.measure(two_blocks(), (1.0, 1.0, 1.0)) for _ in range(9)]
    assert list(SemanticTask.sided(SemanticTask.pool(measured))) == [2]


def test_a_fingerprint_of_before_says_nothing_of_sides():
    assert SemanticTask.sided({"classes": {}}) == {}
