"""Label maps that speak of some classes only: how they are stored and scored."""

import json

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.spec.annotation import LabelMap, as_annotation
from autoseg.spec.dataset import Dataset
from autoseg.tasks.semantic import SemanticTask
from autoseg.tasks.semantic.labels import options_from_dataset

LABELS = {"background": 0, "liver": 1, "kidney": 5}
DRAWN = np.array([[0, 1, 1, 2], [0, 0, 1, 3]], np.int16)  # 2 kidney, 3 ignored


def _dataset(folder, labels=LABELS, **raw):
    return Dataset(
        name="toy",
        folder=folder,
        task="semantic",
        channel_names=("CT",),
        image_ending=".png",
        annotation_ending=".png",
        raw={"labels": labels, **raw},
    )


def test_dataset_json_says_which_sets_of_classes_there_are(tmp_path):
    said = {"a": ["kidney"], "b*": ["liver"], "c": ["liver", "kidney"], "d": ["kidney"]}

    options = options_from_dataset(_dataset(tmp_path, annotated=said))

    assert options["partly"] == [["kidney"], ["liver"]]


def test_names_that_are_no_classes_are_told(tmp_path):
    dataset = _dataset(tmp_path, annotated={"a": ["livr"], "b": ["background"]})

    with pytest.raises(DatasetError, match="'background', 'livr', which are no class"):
        options_from_dataset(dataset)


def test_too_many_sets_for_the_stored_type_are_told(tmp_path):
    labels = {"background": 0, **{f"organ{i}": i for i in range(1, 250)}}
    said = {str(i): [f"organ{i}"] for i in range(1, 250)}

    with pytest.raises(DatasetError, match="249 different sets"):
        options_from_dataset(_dataset(tmp_path, labels, annotated=said))


def test_only_the_background_of_a_case_says_less():
    task = SemanticTask(labels=LABELS, ignore=9, partly=[["liver"]])

    found = task.partly(DRAWN, ["liver"])

    # Values 0 to 2 are the labels', 3 is ignore; 4 is background or kidney.
    assert found.unknown == ("kidney",)
    assert np.asarray(task.stored(found)).tolist() == [[4, 1, 1, 4], [4, 4, 1, 3]]
    assert task.unknown_values("kidney") == (3, 4)
    assert task.unknown_values("liver") == (3,)
    assert task.members("kidney") == (2,)
    assert task.heads[0].loss.options["partly"] == [[4, [-1, 0, -1]]]


def test_a_case_of_which_all_is_annotated_is_an_array_as_ever():
    task = SemanticTask(labels=LABELS, ignore=9, partly=[["liver"]])

    assert task.partly(DRAWN, ["kidney", "liver"]) is DRAWN


def test_every_voxel_of_regions_says_less():
    labels = {"background": 0, "whole": [1, 2], "core": [2]}
    task = SemanticTask(labels=labels, regions_class_order=[1, 2], partly=[["whole"]])

    stored = np.asarray(task.stored(task.partly(DRAWN.clip(0, 2), ["whole"])))

    assert stored.tolist() == [[3, 4, 4, 5], [3, 3, 4, 4 + 1]]
    assert task.members("whole") == (1, 2, 4, 5)
    assert task.members("core") == (2,)
    assert task.unknown_values("core") == (3, 4, 5)
    rows = task.heads[0].loss.options["partly"]
    assert rows == [[3, [0, -1]], [4, [1, -1]], [5, [1, -1]]]


def test_heads_are_plain_json():
    task = SemanticTask(labels=LABELS, partly=[["liver"], ["kidney"]])
    options = task.heads[0].loss.options

    assert json.loads(json.dumps(options)) == options


def test_the_mask_of_the_image_is_kept_apart_from_the_background():
    task = SemanticTask(labels=LABELS, partly=[["liver"]])
    stored = task.stored(task.partly(DRAWN.clip(0, 2), ["liver"]))
    mask = np.array([[False, True, True, True], [True, True, True, True]])

    masked = as_annotation(stored).masked(mask).inner

    assert masked.tolist() == [[-1, 1, 1, 3], [3, 3, 1, 3]]


def test_only_what_is_annotated_is_measured_scored_and_centered_on():
    task = SemanticTask(labels=LABELS, ignore=9, partly=[["liver"]])
    truth = task.partly(DRAWN, ["liver"])
    predicted = np.array([[2, 1, 0, 2], [0, 0, 1, 1]], np.int16)

    measured = task.measure(truth, (1.0, 1.0))["classes"]
    scores = task.score(predicted, truth, (1.0, 1.0))
    places = task.foreground(np.asarray(task.stored(truth)))

    assert list(measured) == ["liver"] and measured["liver"]["voxels"] == 3
    assert list(scores) == ["liver"]
    assert scores["liver"]["dice"] == 2 * 2 / (3 + 2)  # what is ignored counts nowhere
    assert places["liver"].tolist() == [1, 2, 6] and not len(places["kidney"])


def test_pooled_numbers_are_those_of_the_cases_that_speak_of_a_class():
    task = SemanticTask(labels=LABELS, partly=[["liver"]])
    cases = [DRAWN.clip(0, 2), task.partly(DRAWN.clip(0, 2), ["liver"])]

    pooled = task.pool([task.measure(case, (1.0, 1.0)) for case in cases])["classes"]

    assert (pooled["liver"]["cases"], pooled["kidney"]["cases"]) == (2, 1)
    assert pooled["kidney"]["frequency"] == 2 / 8  # the clipped corner is kidney, too


def test_a_set_that_the_plan_does_not_know_is_refused():
    task = SemanticTask(labels=LABELS, partly=[["liver"]])

    with pytest.raises(DatasetError, match="only kidney is annotated.*Run `autoseg"):
        task.partly(DRAWN, ["kidney"])


def test_a_turned_map_still_knows_what_it_speaks_of():
    whole = LabelMap(DRAWN, unknown=("kidney",))

    assert whole.cropped((slice(0, 1), slice(0, 2))).inner.unknown == ("kidney",)
    assert np.asarray(whole.transposed((1, 0))).shape == (4, 2)
