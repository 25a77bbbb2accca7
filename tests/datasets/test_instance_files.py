"""Instances in a folder of masks, and in COCO's JSON."""

import itertools
import json

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.instance_files import crowds_of, files_of, names_of
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, FormatError
from autoseg.fingerprint.check.stage import check
from autoseg.formats.base import find_format
from autoseg.instancefiles.readers.coco import places_of
from autoseg.spec.image import Geometry
from autoseg.tasks.instance import InstanceTask
from autoseg.workspace import stamps_of

TASK = InstanceTask(labels={"cell": 1, "debris": 7})


def _mask(path, *boxes, shape=(6, 8)):
    array = np.zeros(shape, np.uint8)
    for box in boxes:
        array[box] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    geometry = Geometry(shape=shape, spacing=(1.0, 1.0), unit="px")
    find_format(path).write_labels(path, array, geometry)


def test_each_file_of_a_folder_is_an_instance_and_the_later_wins(tmp_path):
    _mask(tmp_path / "case" / "a.png", np.s_[0:3, 0:3])
    _mask(tmp_path / "case" / "b.png", np.s_[2:5, 2:5])

    found, _ = read_annotation(tmp_path / "case", None, InstanceTask(labels={"c": 1}))

    assert [(found.labels == i).sum() for i in (1, 2)] == [8, 9]


def test_masks_of_another_shape_are_refused_by_name(tmp_path):
    _mask(tmp_path / "case" / "a.png")
    _mask(tmp_path / "case" / "b.png", shape=(5, 5))

    with pytest.raises(FormatError, match=r"b.png has shape \(5, 5\)"):
        read_annotation(tmp_path / "case", None, TASK)


def _coco(path, *segmentations):
    raw = {
        "images": [
            {"id": 1, "file_name": "other.png", "height": 4, "width": 4},
            {"id": 2, "file_name": "case_0000.png", "height": 5, "width": 6},
        ],
        "annotations": [
            {"image_id": 2, "category_id": kind, "segmentation": segmentation}
            for kind, segmentation in segmentations
        ],
    }
    path.write_text(json.dumps(raw))
    return path


def test_polygons_run_along_the_edges_of_pixels(tmp_path):
    path = _coco(tmp_path / "case.json", (7, [[1, 2, 4, 2, 4, 4, 1, 4]]))

    found, geometry = read_annotation(path, None, TASK)

    wanted = np.zeros((5, 6), int)
    wanted[2:4, 1:4] = 1
    assert found.labels.tolist() == wanted.tolist()
    assert found.class_of(1) == 7
    assert geometry.shape == (5, 6)


def test_run_lengths_go_column_after_column(tmp_path):
    # 5 pixels of the first column are out, then 2 in, and so on.
    code = {"size": [5, 6], "counts": [5, 2, 23]}
    path = _coco(tmp_path / "case.json", (1, code))

    found, _ = read_annotation(path, None, TASK)

    assert np.argwhere(found.labels).tolist() == [[0, 1], [1, 1]]


def test_compressed_run_lengths_are_read(tmp_path):
    # 5 -> "5", 2 -> "2", 23 -> 10111: low bits 10111 with more, then 0 -> "g0"
    code = {"size": [5, 6], "counts": "52g0"}
    path = _coco(tmp_path / "all.json", (1, code))

    found, _ = read_annotation(path, None, TASK, case_id="case")

    assert np.argwhere(found.labels).tolist() == [[0, 1], [1, 1]]


def test_crowd_regions_are_no_instances(tmp_path):
    everything = {"size": [5, 6], "counts": [0, 30]}
    pair = {"size": [5, 6], "counts": [5, 2, 23]}
    path = _coco(tmp_path / "case.json", (1, pair), (1, everything), (7, pair))
    raw = json.loads(path.read_text())
    for number, (entry, crowd) in enumerate(
        zip(raw["annotations"], (0, 1, 0), strict=True), 1
    ):
        entry.update(id=10 * number, iscrowd=crowd)
    raw["annotations"][2]["segmentation"] = {"size": [5, 6], "counts": [10, 1, 19]}
    path.write_text(json.dumps(raw))

    found, _ = read_annotation(path, None, TASK)

    assert np.argwhere(found.labels == 1).tolist() == [[0, 1], [1, 1]]
    assert np.argwhere(found.labels == 2).tolist() == [[0, 2]]
    assert found.class_of(2) == 7
    assert found.ids == [1, 2]
    assert names_of(path, "case") == {1: "annotation 10", 2: "annotation 30"}
    assert crowds_of(path, "case") == (1, 1)


def test_a_file_without_the_image_says_what_it_needs(tmp_path):
    path = _coco(tmp_path / "nothing.json")

    with pytest.raises(FormatError, match=r"no image called nothing; it has 2, such"):
        read_annotation(path, None, TASK)


def test_check_tells_how_many_crowd_regions_are_left_out(tmp_path):
    _dataset(tmp_path, cases=("a",))
    images = [{"id": 6, "file_name": "a_0000.png", "height": 6, "width": 8}]
    entries = [_square(1, 6, 0, 0), _square(2, 6, 3, 1), _square(3, 6, 5, 3)]
    for entry, crowd in zip(entries, (0, 1, 1), strict=True):
        entry["iscrowd"] = crowd
    text = json.dumps({"images": images, "annotations": entries})
    (tmp_path / "annotations.json").write_text(text)

    found = [p for p in check(tmp_path) if "crowd" in p.found]

    assert [p.severity for p in found] == ["warning"]
    assert found[0].found.startswith("2 crowd regions")


def _dataset(folder, cases=("a", "b")):
    """A data set of pictures of 6 x 8 pixels without annotations."""
    for case in cases:
        _mask(folder / "imagesTr" / f"{case}_0000.png", np.s_[0:3, 0:3])
    description = {
        "task": "instance",
        "channel_names": {"0": "gray"},
        "labels": {"background": 0, "cell": 1},
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def _square(number, image, x, y):
    corners = [x, y, x + 2, y, x + 2, y + 2, x, y + 2]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "segmentation": [corners],
    }


@pytest.mark.parametrize(
    "name",
    [
        "labelsTr.json",
        "annotations.json",
        "labelsTr/annotations.json",
        "labelsTr/instances_default.json",
    ],
)
def test_one_file_may_hold_the_instances_of_all_images(tmp_path, name):
    _dataset(tmp_path)
    images = [
        {"id": 5, "file_name": "images/b_0000.png", "height": 6, "width": 8},
        {"id": 6, "file_name": "a_0000.png", "height": 6, "width": 8},
    ]
    squares = [_square(1, 6, 0, 0), _square(2, 5, 3, 1), _square(3, 5, 6, 4)]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(json.dumps({"images": images, "annotations": squares}))

    dataset = load_dataset(tmp_path)
    found = {
        case.id: read_annotation(case.annotation, dataset, TASK, case_id=case.id)[0]
        for case in dataset.training
    }

    assert np.argwhere(found["a"].labels == 1).tolist() == [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]
    assert found["b"].labels[1:3, 3:5].tolist() == [[1, 1], [1, 1]]
    assert found["b"].labels[4:6, 6:8].tolist() == [[2, 2], [2, 2]]
    assert np.count_nonzero(found["b"].labels) == 8


def test_a_case_with_an_annotation_of_its_own_keeps_it(tmp_path):
    _dataset(tmp_path)
    _mask(tmp_path / "labelsTr" / "a.png")
    (tmp_path / "annotations.json").write_text("{}")

    a, b = load_dataset(tmp_path).training

    assert a.annotation == tmp_path / "labelsTr" / "a.png"
    assert b.annotation == tmp_path / "annotations.json"


def test_every_annotation_that_cannot_be_drawn_is_told(tmp_path):
    code = {"size": [5, 7], "counts": [35]}
    path = _coco(
        tmp_path / "case.json",
        (1, [[1, 2, 3]]),
        (1, None),
        (1, code),
        (1, {"size": [5, 6], "counts": [31]}),
        (1, {"size": [5, 6], "counts": None}),
        (1, {"size": 30, "counts": [30]}),
    )

    with pytest.raises(FormatError) as caught:
        read_annotation(path, None, TASK)

    text = str(caught.value)
    assert "annotation 1: a polygon needs x and y of three corners" in text
    assert "annotation 2: it has no `segmentation`" in text
    assert "annotation 3: its run lengths are for [5, 7]" in text
    assert "annotation 4: its run lengths are not those" in text
    assert "annotation 5: its run lengths, `counts`, are neither" in text
    assert "and 1 more" in text


@pytest.mark.parametrize("seed", range(3))
def test_run_lengths_stand_for_the_mask_that_they_were_made_of(seed):
    mask = np.random.default_rng(seed).random((7, 9)) < 0.4
    values = mask.T.ravel()
    counts, now = [0], False
    for value in values:  # by the definition: outside, inside, outside, ...
        if value != now:
            counts.append(0)
            now = not now
        counts[-1] += 1

    rows, columns = places_of(
        {"segmentation": {"size": [7, 9], "counts": counts}}, (7, 9)
    )

    found = np.zeros((7, 9), bool)
    found[rows, columns] = True
    assert np.array_equal(found, mask)


def test_masks_of_several_classes_need_a_file_that_tells_them(tmp_path):
    _mask(tmp_path / "case" / "a.png", np.s_[0:2, 0:2])
    _mask(tmp_path / "case" / "b.png", np.s_[3:5, 3:5])

    with pytest.raises(DatasetError, match=r"case\.json is missing"):
        read_annotation(tmp_path / "case", None, TASK)
    (tmp_path / "case.json").write_text('{"instances": {"a.png": 7}}')
    with pytest.raises(DatasetError, match=r"no class to the instances b\.png"):
        read_annotation(tmp_path / "case", None, TASK)
    (tmp_path / "case.json").write_text('{"instances": {"a.png": 7, "2": "cell"}}')
    found, _ = read_annotation(tmp_path / "case", None, TASK)

    assert found.classes == {1: 7, 2: 1}


def test_a_change_of_any_file_that_tells_of_a_case_is_noticed(tmp_path):
    _dataset(tmp_path, ["a"])
    masks = tmp_path / "labelsTr" / "a" / "masks"
    _mask(masks / "1.png", np.s_[0:2, 0:2])
    _mask(masks / "2.png", np.s_[0:2, 0:2])
    case = load_dataset(tmp_path).training[0]
    stamps = [stamps_of(files_of(case))]

    _mask(masks / "1.png", np.s_[3:6, 2:8])
    stamps.append(stamps_of(files_of(case)))
    (masks / "2.png").unlink()
    stamps.append(stamps_of(files_of(case)))
    (tmp_path / "labelsTr" / "a.json").write_text('{"instances": {"1": 1}}')
    stamps.append(stamps_of(files_of(case)))

    assert all(a != b for a, b in itertools.pairwise(stamps))
