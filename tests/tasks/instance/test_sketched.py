"""Boxes and points become objects with doubt about them."""

import json
from pathlib import Path

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import DatasetError, FormatError
from autoseg.spec.annotation import IGNORED
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.sketched import Sketch, sketch_of, sketch_problems, sketched

TASK = InstanceTask({"cell": 1, "debris": 2})
GEOMETRY = Geometry(shape=(30, 40), spacing=(1.0, 1.0), unit="px")
BOXES, POINTS = {"drawn": "boxes"}, {"drawn": "points", "diameter": 10}


def described(raw):
    """Return a data set of one class whose dataset.json says so."""
    return Dataset(
        name="a",
        folder=Path("a"),
        task="instance",
        channel_names=("gray",),
        image_ending=".png",
        annotation_ending=".json",
        raw={"labels": {"cell": 1}, **raw},
    )


def test_a_box_is_an_ellipse_and_nobody_knows_its_corners():
    ids = np.zeros((14, 20), np.int32)
    ids[2:12, 3:17] = 7  # 10 x 14: radii 5 and 7 about 6.5, 9.5

    found = sketched(Instances(ids, {7: 2}), Sketch("boxes"), (1.0, 1.0))

    rows, columns = np.indices(ids.shape)
    ellipse = ((rows - 6.5) / 5) ** 2 + ((columns - 9.5) / 7) ** 2 <= 1
    expected = np.where(ellipse, 7, np.where(ids == 7, IGNORED, 0))
    np.testing.assert_array_equal(found.labels, expected)
    assert dict(found.classes) == {7: 2}


@pytest.mark.parametrize("shape", [(40, 40), (24, 40, 40)])
def test_a_point_is_a_disk_or_ball_of_the_body_with_doubt_around(shape):
    ids = np.zeros(shape, np.int32)
    middle = tuple(n // 2 for n in shape)
    ids[middle] = 3
    spacing = (2.0, 1.0, 1.0)[-len(shape) :]

    found = sketched(Instances(ids), Sketch("points", 10.2), spacing)

    grids = np.indices(shape)
    away = [(g - m) * s for g, m, s in zip(grids, middle, spacing, strict=True)]
    far = np.sqrt(sum(a**2 for a in away))
    # 0.8 of a radius of 5.1, and 1.5 of it.
    expected = np.where(far <= 4.08, 3, np.where(far <= 7.65, IGNORED, 0))
    np.testing.assert_array_equal(found.labels, expected)


def test_of_two_points_that_are_near_each_has_what_is_nearer():
    ids = np.zeros((20, 20), np.int32)
    ids[10, 7], ids[10, 12] = 1, 2

    found = sketched(Instances(ids), Sketch("points", 10.0), (1.0, 1.0)).labels

    assert found[10, 9] == 1 and found[10, 10] == 2
    assert (found == 1).sum() == (found == 2).sum() > 20


def test_boxes_that_overlap_are_both_found_again_and_the_rest_stays():
    masks = [(1, (2, 2)), (2, (6, 6))]
    boxes = [(i, Mask(at, np.ones((8, 8), bool))) for i, at in masks]
    drawn = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
    boxes.append((3, Mask((15, 15), drawn)))
    labels, shared = painted((20, 20), boxes)

    found = sketched(Instances(labels, masks=shared), Sketch("boxes"), (1.0, 1.0))

    assert found.ids == [1, 2, 3] and not found.masks
    assert all((found.labels == i).sum() > 30 for i in (1, 2))
    np.testing.assert_array_equal(found.labels[15:18, 15:18] == 3, drawn)


def test_what_is_larger_than_a_dot_is_taken_as_drawn_and_stuff_always():
    ids = np.zeros((30, 30), np.int32)
    ids[2:10, 2:10] = 1  # 64 pixels; a quarter of a disk of diameter 10 is 20
    ids[20, 20] = 2
    ids[15:20, 2:7] = 3
    given = Instances(ids, {1: 1, 2: 1, 3: 5})

    points = sketched(given, Sketch("points", 10.2), (1.0, 1.0))
    boxes = sketched(given, Sketch("boxes"), (1.0, 1.0), whole=(5,))

    np.testing.assert_array_equal(points.labels == 1, ids == 1)
    assert (points.labels == 2).sum() == 49  # pixels within 4.08 of one
    np.testing.assert_array_equal(boxes.labels == 3, ids == 3)
    assert (boxes.labels == 2).sum() == 1  # a point is no box
    assert (boxes.labels[2:10, 2:10] == IGNORED).any()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"drawn": "dots"}, "outlines, boxes, points"),
        ({"drawn": "points"}, "`diameter` is None"),
        ({"drawn": "points", "diameter": True}, "`diameter` is True"),
        ({"drawn": "points", "diameter": float("inf")}, "`diameter` is inf"),
    ],
    ids=["unknown", "no diameter", "no number", "endless"],
)
def test_keys_that_cannot_be_are_told(raw, said):
    assert said in sketch_problems(raw)[0]
    with pytest.raises(DatasetError, match="drawn"):
        InstanceTask.from_dataset(described(raw))


def test_outlines_are_the_default():
    assert (
        sketch_problems({}) == [] == sketch_problems(BOXES) == sketch_problems(POINTS)
    )
    assert sketch_of({}) is sketch_of({"drawn": "outlines"}) is None


def coco(path):
    images = [{"id": 1, "file_name": "a.png", "height": 30, "width": 40}]
    boxes = [(1, [4, 3, 10, 12]), (2, [20, 10, 14, 8])]
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": box, "segmentation": []}
        for n, box in boxes
    ]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))


def yolo(path):
    # Middle, width and height, as fractions of 40 and 30.
    rows = [(9 / 40, 9 / 30, 10 / 40, 12 / 30), (27 / 40, 14 / 30, 14 / 40, 8 / 30)]
    path.write_text("\n".join(f"0 {' '.join(map(str, row))}" for row in rows))


def labelme(path):
    points = [(9.5, 9.2), (27.1, 14.9)]
    shapes = [
        {"label": "cell", "shape_type": "point", "points": [point]} for point in points
    ]
    path.write_text(json.dumps({"shapes": shapes}))


def qupath(path):
    geometry = {"type": "MultiPoint", "coordinates": [[9.5, 9.2], [27.1, 14.9]]}
    path.write_text(json.dumps({"type": "Feature", "geometry": geometry}))


def imagej(path):
    roifile = pytest.importorskip("roifile")
    roi = roifile.ImagejRoi.frompoints(np.array([[9.5, 9.2], [27.1, 14.9]]))
    roi.roitype = roifile.ROI_TYPE.POINT
    roi.tofile(path)


@pytest.mark.parametrize(
    ("write", "name", "raw"),
    [
        (coco, "a.json", BOXES),
        (yolo, "a.txt", BOXES),
        (labelme, "a.json", POINTS),
        (qupath, "a.geojson", POINTS),
        (imagej, "a.roi", POINTS),
    ],
    ids=["coco", "yolo", "labelme", "qupath", "imagej"],
)
def test_marks_of_other_programs_are_read_where_they_are_meant(
    tmp_path, write, name, raw
):
    path, task = tmp_path / name, InstanceTask({"cell": 1})
    write(path)
    given = {"image": GEOMETRY, "case_id": "a"}

    found, _ = read_annotation(path, described(raw), task, **given)

    labels = np.asarray(found)
    assert found.ids == [1, 2]
    assert labels[9, 9] == 1 and labels[14, 27] == 2
    assert (labels == IGNORED).any() and labels[0, 0] == labels[29, 39] == 0
    with pytest.raises(FormatError, match='"drawn": "(boxes|points)"'):
        read_annotation(path, described({}), task, **given)
