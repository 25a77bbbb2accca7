"""Semantic segmentation: values in files, values inside, and the way between."""

from pathlib import Path

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS
from autoseg.tasks.semantic import SemanticTask

REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "tip": 3}


def _dataset(**raw):
    return Dataset(
        name="d",
        folder=Path("d"),
        task="semantic",
        channel_names=("a",),
        image_ending=".png",
        annotation_ending=".png",
        raw=raw,
    )


def _from(**raw):
    return SemanticTask(**SemanticTask.from_dataset(_dataset(**raw)))


def test_values_of_a_0_255_mask_are_0_and_1_inside_and_come_back():
    task = SemanticTask(labels={"background": 0, "cell": 255})
    mask = np.array([[0, 255], [255, 0]], np.uint8)

    inner = task.read(mask)

    assert inner.tolist() == [[0, 1], [1, 0]]
    assert task.write(inner).tolist() == mask.tolist()
    assert task.write(inner).dtype == np.uint8


def test_values_with_gaps_are_numbered_in_ascending_order():
    task = SemanticTask(labels={"background": 0, "b": 700, "a": 5})

    inner = task.read(np.array([700, 0, 5]))

    assert inner.tolist() == [2, 0, 1]
    assert task.write(inner).dtype == np.uint16  # 700 does not fit into 8 bits


def test_negative_values_keep_their_sign():
    task = SemanticTask(labels={"background": -1, "a": 3})

    written = task.write(task.read(np.array([-1, 3], np.int16)))

    assert written.tolist() == [-1, 3]


def test_a_value_that_nobody_named_is_an_error_that_says_which():
    task = SemanticTask(labels={"background": 0, "a": 1})

    with pytest.raises(DatasetError, match=r"label value 7, 9 is not.*0, 1"):
        task.read(np.array([0, 7, 9]))


def test_a_truth_mask_is_read_as_0_and_1():
    task = SemanticTask(labels={"background": 0, "a": 1})

    assert task.read(np.array([True, False])).tolist() == [1, 0]


def test_outside_of_the_nonzero_region_is_written_as_background():
    task = SemanticTask(labels={"background": 4, "a": 9})

    assert task.write(np.array([-1, 0, 1], np.int16)).tolist() == [4, 4, 9]


def test_the_ignored_value_comes_last_inside_and_has_no_channel():
    task = SemanticTask(labels={"background": 0, "a": 1, "b": 2}, ignore=3)

    assert task.ignore_index == 3
    assert task.heads[0].channels == 3
    assert task.heads[0].loss.options["ignore_index"] == 3
    assert task.read(np.array([3])).tolist() == [3]


def test_regions_have_one_sigmoid_each_and_name_the_values_inside_them():
    task = SemanticTask(labels=REGIONS, regions_class_order=[1, 2, 3])
    head = task.heads[0]

    assert (head.channels, head.activation, head.loss.name) == (
        3,
        "sigmoid",
        "dice_bce",
    )
    assert head.loss.options["regions"] == [[1, 2, 3], [2, 3], [3]]


def test_regions_are_painted_in_order_later_over_earlier():
    task = SemanticTask(labels=REGIONS, regions_class_order=[1, 2, 3])
    #          whole  core   tip      by hand: nothing, whole, core, tip, tip alone
    outputs = [[0, 1, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1]]

    decoded = task.decode({"classes": np.array(outputs, np.float32)}, (1.0,))

    assert decoded.tolist() == [0, 1, 2, 3, 3]


def test_half_is_not_enough_to_paint_a_region():
    task = SemanticTask(labels=REGIONS, regions_class_order=[1, 2, 3])
    half = np.full((3, 1), 0.5, np.float32)

    assert task.decode({"classes": half}, (1.0,)).tolist() == [0]


def test_of_equally_likely_classes_the_first_wins():
    task = SemanticTask(labels={"background": 0, "a": 1, "b": 2})

    decoded = task.decode({"classes": np.array([[0.2], [0.4], [0.4]])}, (1.0,))

    assert decoded.tolist() == [1]


def test_objects_are_counted_and_measured_in_physical_units():
    task = SemanticTask(labels={"background": 0, "a": 1})
    labels = np.zeros((4, 8, 8), np.int16)
    labels[0:2, 0:2, 0:2] = 1  # 8 voxels of 2 x 1 x 1: 16
    labels[3, 7, 7] = 1  # 1 voxel: 2

    measured = task.measure(labels, (2.0, 1.0, 1.0))["classes"]["a"]

    assert (measured["objects"], measured["voxels"]) == (2, 9)
    # 10 * log10(16) = 12.04 and 10 * log10(2) = 3.01
    assert measured["object_size_logs"] == {"12": 1, "3": 1}


def test_pooling_adds_cases_and_forgets_none():
    task = SemanticTask(labels={"background": 0, "a": 1})
    full = task.measure(np.ones((4, 4), np.int16), (1.0, 1.0))
    empty = task.measure(np.zeros((4, 4), np.int16), (1.0, 1.0))

    pooled = SemanticTask.pool([full, empty])["classes"]["a"]

    assert (pooled["cases"], pooled["cases_present"]) == (2, 1)
    assert pooled["frequency"] == 0.5


def test_pooling_in_parts_gives_the_same():
    task = SemanticTask(labels={"background": 0, "a": 1})
    rng = np.random.default_rng(0)
    cases = [
        task.measure(rng.integers(0, 2, (6, 6)).astype(np.int16), (1.0, 1.0))
        for _ in range(4)
    ]

    parts = [SemanticTask.pool(cases[:1]), SemanticTask.pool(cases[1:])]

    assert SemanticTask.pool(parts) == SemanticTask.pool(cases)


def test_foreground_is_where_each_class_is():
    task = SemanticTask(labels={"background": 0, "a": 1, "b": 2}, ignore=3)
    labels = np.array([[0, 1, 2], [2, 3, -1]])

    places = {k: v.tolist() for k, v in task.foreground(labels).items()}

    assert places == {"a": [1], "b": [2, 3], "annotated": [0, 1, 2, 3]}


def test_of_many_voxels_a_fair_share_is_kept_in_order():
    task = SemanticTask(labels={"background": 0, "a": 1})
    labels = np.ones((1000, 50), np.int16)

    kept = task.foreground(labels)["a"]

    assert len(kept) == 10_000 and (np.diff(kept.astype(np.int64)) > 0).all()
    assert abs(kept.mean() / 25_000 - 1) < 0.02  # evenly spread over 50,000
    assert np.array_equal(kept, task.foreground(labels)["a"])


def test_values_of_one_name_the_decathlon_s_way_round_are_refused():
    labels = {"0": "background", "1": "tumor", "2": "tumor"}

    with pytest.raises(
        DatasetError, match=r"\[1, 2\] all 'tumor'.*\{\"tumor\": \[1, 2"
    ):
        SemanticTask.from_dataset(_dataset(labels=labels))


def test_the_decathlons_way_of_writing_labels_is_understood():
    task = _from(labels={"0": "background", "1": "liver"})

    assert task.classes == ("liver",)


@pytest.mark.parametrize(
    "raw, message",
    [
        ({}, "must name each label value"),
        ({"labels": {"background": 0}}, "at least one class"),
        ({"labels": {"background": 0, "a": "x"}}, "label 'a' is 'x'"),
        ({"labels": {"background": 0, "a": 1, "b": 1}}, "belongs to two labels"),
        ({"labels": {"background": 0, "a": 1, "ignore": 1}}, "`ignore` and a label"),
        ({"labels": REGIONS}, "regions_class_order"),
        ({"labels": REGIONS, "regions_class_order": [1]}, "3 values"),
    ],
)
def test_wrong_labels_are_refused(raw, message):
    with pytest.raises(DatasetError, match=message):
        _from(**raw)


def test_everything_wrong_with_labels_is_said_at_once():
    with pytest.raises(DatasetError) as error:
        _from(labels={"background": 0, "a": "x", "b": 2, "c": 2})

    assert "label 'a'" in str(error.value) and "two labels" in str(error.value)


def test_the_planner_counts_labels_as_nnunet_does():
    task = SemanticTask(labels=REGIONS, regions_class_order=[1, 2, 3], ignore=4)

    assert task.planned_channels == 5  # background, three regions, ignore
    assert TASKS["semantic"] is SemanticTask
