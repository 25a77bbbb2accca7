"""Odd maps of ids."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.instance_classes import components_of
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError
from autoseg.fingerprint.check.instance_maps import instance_problems, twin_problems
from autoseg.fingerprint.check.stage import check
from autoseg.spec.arrays.masks import Mask
from autoseg.spec.instances import arrange
from autoseg.tasks.instance import InstanceTask


def _found(labels):
    return [p.found for p in instance_problems(np.array(labels), Path("case.tif"))]


def test_a_plain_map_has_no_problem():
    assert _found([[1, 1, 0], [0, 2, 2]]) == []


def test_pieces_single_voxels_and_holes_are_told_with_the_ids_in_the_file():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 40
    labels[4, 6] = 50
    labels[2:7, 10:15] = 60
    labels[4, 12] = 0

    assert _found(labels) == [
        "1 of 3 instances are in several pieces: 40.",
        "1 of 3 instances are of a single voxel: 50.",
        "1 of 3 instances have holes: 60.",
    ]


def test_ids_that_use_up_8_bit_may_have_wrapped():
    labels = np.repeat(np.arange(256), 2)[None].repeat(2, 0)

    assert "8 bit" in _found(labels)[0]


def test_one_id_for_all_objects_looks_like_a_mask_of_the_foreground():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 255

    assert _found(labels) == [
        "All objects have one id, 255, though they are in several pieces, as in a mask "
        "of the foreground."
    ]


def test_one_voxel_of_background_is_no_instance():
    labels = np.full((4, 4), 5)
    labels[0, 0] = 0

    assert _found(labels) == []


def test_an_id_that_fills_an_image_without_zeros_may_be_the_background():
    labels = np.full((10, 10), 8)
    labels[2:5, 2:6] = 3  # 12 of 100 voxels
    halves = np.repeat([[1, 2]], 4, 0)

    assert _found(labels) == ["No voxel is 0, and 8 fills 88 %: is it the background?"]
    assert _found(halves) == []


def test_masks_are_called_by_their_files_and_missing_ones_are_told():
    labels = np.zeros((9, 20), int)
    labels[1:3, 1:3] = labels[6:8, 1:3] = 1
    labels[4, 6] = 3
    names = {1: "a.png", 2: "b.png", 3: "c.png"}

    found = [p.found for p in instance_problems(labels, Path("case"), names)]

    assert found == [
        "1 of 3 instances are empty, or wholly under later ones: b.png.",
        "1 of 2 instances are in several pieces: a.png.",
        "1 of 2 instances are of a single voxel: c.png.",
    ]


# Masks of the foreground in place of ids.


def test_objects_that_were_drawn_twice_are_told_and_such_that_overlap_are_not():
    labels, twice, over = (np.zeros((12, 12), bool) for _ in range(3))
    labels[0:10, 0:10] = True  # 100 pixels
    twice[0:10, 0:10] = True
    twice[9, 0:9] = False  # 91 of 100: an IoU of .91
    over[5:12, 0:10] = True  # 50 of 120 with the first
    shapes = [labels, twice, over]
    masks = {i: Mask.of_places(np.nonzero(one)) for i, one in enumerate(shapes, 1)}
    arranged = arrange(np.select([over, twice, labels], [3, 2, 1]), masks)

    (problem,) = twin_problems(arranged, Path("case"), {1: "a", 2: "b"})

    assert problem.severity == "warning"
    assert problem.found == "1 pair of instances are nearly one mask: a and b."
    twice[9, :] = False  # 90 of 100
    masks[2] = Mask.of_places(np.nonzero(twice))
    arranged = arrange(np.select([over, twice, labels], [3, 2, 1]), masks)
    assert not twin_problems(arranged, Path("case"), {})


def pictures(folder, count=6, masked=6, **description):
    """Pictures of two squares each, which have one id in the first ``masked``."""
    for place in ("imagesTr", "labelsTr"):
        (folder / place).mkdir(parents=True)
    random = np.random.default_rng(0)
    for i in range(count):
        picture = random.integers(0, 255, (20, 24)).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"imagesTr/c{i}.png")
        ids = np.zeros((20, 24), np.uint8)
        ids[2:6, 3:7] = 255
        ids[9:15, 10:16] = 255 if i < masked else 7
        Image.fromarray(ids).save(folder / f"labelsTr/c{i}.png")
    base = {"task": "instance", "channel_names": {"0": "x"}}
    base["labels"] = {"background": 0, "cell": 1}
    (folder / "dataset.json").write_text(json.dumps({**base, **description}))
    return [p for p in check(folder) if "one id" in p.found]


def test_nothing_but_masks_is_one_error_with_a_way_out(tmp_path):
    (found,) = pictures(tmp_path)

    assert found.severity == "error"
    assert found.found.startswith("All 6 annotations have one id each")
    assert '"components": true' in found.fix


def test_some_masks_are_warnings(tmp_path):
    found = pictures(tmp_path, masked=2)

    assert [(p.severity, p.file.name) for p in found] == [
        ("warning", "c0.png"),
        ("warning", "c1.png"),
    ]


def test_whoever_says_that_objects_are_in_pieces_is_believed(tmp_path):
    found = pictures(tmp_path, components=False)

    assert {p.severity for p in found} == {"warning"}


def test_pieces_are_objects_on_request(tmp_path):
    assert pictures(tmp_path, components=True) == []
    dataset = load_dataset(tmp_path)
    task = InstanceTask(labels={"cell": 1})

    found, _ = read_annotation(dataset.training[0].annotation, dataset, task)

    assert np.unique(found.labels[2:6, 3:7]).tolist() == [1]
    assert np.unique(found.labels[9:15, 10:16]).tolist() == [2]
    assert np.count_nonzero(found.labels) == 16 + 36


def test_values_of_masks_are_classes_where_there_are_several(tmp_path):
    labels = np.array([[1, 0, 1, 2], [1, 0, 0, 2], [0, 2, 0, 0]])

    found = components_of(labels, {1: "cell", 2: "debris"}, tmp_path / "a.png")

    # The 2 below touches the others of its value by no corner.
    assert found.labels.tolist() == [[1, 0, 2, 3], [1, 0, 0, 3], [0, 4, 0, 0]]
    assert dict(found.classes) == {1: 1, 2: 1, 3: 2, 4: 2}
    with pytest.raises(DatasetError, match="has the values 9, which are no classes"):
        components_of(labels * 9 // 2, {1: "cell", 4: "debris"}, tmp_path / "a.png")


def test_classes_of_objects_that_never_or_once_occur_are_told(tmp_path):
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    labels = {"background": 0, "a": 1, "b": 2, "c": 3}
    meta = {"task": "instance", "channel_names": ["x"], "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    ids = np.zeros((12, 12), np.uint8)
    ids[1:4, 1:4], ids[6:9, 6:9] = 1, 2
    for number, kinds in enumerate(({"1": 1, "2": 1}, {"1": 1, "2": 3})):
        noise = np.random.default_rng(number).integers(0, 99, ids.shape, np.uint8)
        Image.fromarray(noise).save(tmp_path / f"imagesTr/c{number}.png")
        Image.fromarray(ids).save(tmp_path / f"labelsTr/c{number}.png")
        side_car = tmp_path / f"labelsTr/c{number}.json"
        side_car.write_text(json.dumps({"instances": kinds}))

    found = {p.found: p.file.name for p in check(tmp_path, workers=1)}

    assert found["The class 'b' occurs in no annotation."] == "dataset.json"
    assert found["The class 'c' occurs in this annotation only."] == "c1.png"
    assert not any("'a'" in text for text in found)


@pytest.mark.parametrize(
    ("diameter", "severity", "said"),
    # Of 24 x 24 pixels a ring from 6.4 to 12 of a point is 323: more than half.
    [(3, "note", "diameter 2.4 about its point"), (16, "warning", "diameter 12.8")],
    ids=["small", "large"],
)
def test_how_marks_are_learnt_from_is_told(tmp_path, diameter, severity, said):
    for place in ("imagesTr", "labelsTr"):
        (tmp_path / place).mkdir()
    gray = np.random.default_rng(0).integers(0, 255, (24, 24)).astype(np.uint8)
    ids = np.zeros((24, 24), np.uint8)
    ids[12, 12] = 1
    Image.fromarray(gray).save(tmp_path / "imagesTr/a.png")
    Image.fromarray(ids).save(tmp_path / "labelsTr/a.png")
    labels = {"background": 0, "cell": 1}
    how = {"drawn": "points", "diameter": diameter}
    described = {"task": "instance", "channel_names": {"0": "x"}, "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps({**described, **how}))

    (problem,) = [p for p in check(tmp_path) if "marked by points" in p.found]

    assert problem.severity == severity and said in problem.found
