import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoseg.errors import UsageError
from autoseg.metrics.overlap import Overlap, confusion_matrix, overlap, overlap_of
from tests.each import each


@each("size", [2, 5, 16, 17, 130])
@each("kind", [np.uint8, np.int16, np.int64])
def test_pairs_are_counted_as_scikit_learn_counts_them(size, kind):
    from sklearn.metrics import confusion_matrix as oracle  # takes a second

    rng = np.random.default_rng(size)
    predicted = rng.integers(0, size, (7, 9, 31)).astype(kind)
    reference = rng.integers(0, size, (7, 9, 31)).astype(kind)

    counts = confusion_matrix(predicted, reference, size)

    expected = oracle(predicted.ravel(), reference.ravel(), labels=range(size))
    np.testing.assert_array_equal(counts, expected)


def test_chunks_add_up(monkeypatch):
    monkeypatch.setattr("autoseg.metrics.overlap.CHUNK", 10)
    labels = np.arange(103) % 3

    counts = confusion_matrix(labels, labels, 3)

    assert counts.tolist() == [[35, 0, 0], [0, 34, 0], [0, 0, 34]]


def test_voxels_outside_the_body_are_background():
    counts = confusion_matrix(np.array([-1, -1, 1]), np.array([0, 1, -1]), 2)

    assert counts.tolist() == [[1, 1], [1, 0]]


def test_a_label_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="label 3 among 3"):
        confusion_matrix(np.array([0, 3]), np.array([0, 0]), 3)


def test_label_maps_on_different_grids_are_refused():
    with pytest.raises(UsageError, match="same grid"):
        confusion_matrix(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


@given(arrays(np.int8, (2, 60), elements=st.integers(0, 3)))
def test_a_region_counts_like_the_mask_of_its_labels(labels):
    predicted, reference = labels
    matrix = confusion_matrix(predicted, reference, 4)

    region = overlap_of(matrix, (1, 3))

    assert region == overlap(np.isin(predicted, (1, 3)), np.isin(reference, (1, 3)))


def test_ratios_are_those_of_the_definition():
    found = Overlap(tp=6, fp=2, fn=4)

    assert found.dice == 12 / 18
    assert found.iou == 6 / 12
    assert found.sensitivity == 6 / 10
    assert found.precision == 6 / 8
    assert found.volume_error == (8 - 10) / 10


def test_nothing_in_either_mask_has_no_score():
    found = Overlap(tp=0, fp=0, fn=0)

    assert all(
        math.isnan(value)
        for value in (
            found.dice,
            found.iou,
            found.sensitivity,
            found.precision,
            found.volume_error,
        )
    )


def test_something_where_nothing_is_scores_zero():
    found = Overlap(tp=0, fp=5, fn=0)

    assert (found.dice, found.iou, found.precision) == (0, 0, 0)
    assert math.isnan(found.sensitivity)
    assert found.volume_error == math.inf


def test_nothing_where_something_is_scores_zero():
    found = Overlap(tp=0, fp=0, fn=5)

    assert (found.dice, found.iou, found.sensitivity) == (0, 0, 0)
    assert math.isnan(found.precision)
    assert found.volume_error == -1


def test_voxels_that_do_not_count_are_left_out():
    predicted = np.array([True, True, False, False])
    reference = np.array([True, False, True, False])
    counted = np.array([True, False, False, True])

    assert overlap(predicted, reference, counted) == Overlap(tp=1, fp=0, fn=0)
