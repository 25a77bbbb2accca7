"""Instances in a folder of masks, and in COCO's JSON."""

import json

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import FormatError
from autoseg.formats._base import find_format
from autoseg.spec.image import Geometry
from autoseg.tasks.instance import InstanceTask

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


def test_a_file_without_the_image_says_what_it_needs(tmp_path):
    path = _coco(tmp_path / "nothing.json")

    with pytest.raises(FormatError, match="no image called nothing"):
        read_annotation(path, None, TASK)
