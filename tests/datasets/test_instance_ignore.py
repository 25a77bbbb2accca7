"""In whatever way annotations say that nobody looked: the same voxels are ignored."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.annotations import read_annotation, read_prediction
from autoseg.fingerprint.check.stage import check, examine
from autoseg.spec.annotation import IGNORED
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.instance import InstanceTask

SHAPE = (6, 10)
ON = Geometry(shape=SHAPE, spacing=(1.0, 1.0), unit="px")


def drawn(ignored, cell=7):
    """A cell of 2 x 2, and the last four columns, which nobody looked at."""
    labels = np.zeros(SHAPE, np.int16)
    labels[1:3, 1:3] = cell
    labels[:, 6:] = ignored
    return labels


def task(ignore):
    return InstanceTask(labels={"cell": 1}, ignore=ignore)


def dataset(folder, **raw):
    return Dataset(
        name="toy",
        folder=folder,
        task="instance",
        channel_names=("a",),
        image_ending=".png",
        annotation_ending=".png",
        raw=raw,
    )


def map_of_ids(folder):
    Image.fromarray(drawn(200).astype(np.uint8)).save(folder / "c0.png")
    return "c0.png", 200, {}


def negative_value(folder):
    np.save(folder / "c0.npy", drawn(-1))
    from autoseg.formats.base import find_format

    path = folder / "c0.nii.gz"
    find_format(path).write_labels(path, drawn(-1), ON)
    return "c0.nii.gz", -1, {}


def side_car(folder):
    Image.fromarray(drawn(3).astype(np.uint8)).save(folder / "c0.png")
    classes = {"instances": {"7": "cell", "3": "ignore"}}
    (folder / "c0.json").write_text(json.dumps(classes))
    return "c0.png", 2, {}


def masks_of_classes(folder):
    Image.fromarray(drawn(2, cell=1).astype(np.uint8)).save(folder / "c0.png")
    return "c0.png", 2, {"components": True}


def mask_of_a_foreground(folder):
    Image.fromarray(drawn(128, cell=255).astype(np.uint8)).save(folder / "c0.png")
    return "c0.png", 128, {"components": True}


def folder_of_masks(folder):
    (folder / "c0").mkdir()
    for name, value in (("one", 7), ("unseen", 200)):
        mask = (drawn(200) == value).astype(np.uint8)
        Image.fromarray(mask).save(folder / "c0" / f"{name}.png")
    classes = {"instances": {"one.png": "cell", "unseen.png": "ignore"}}
    (folder / "c0.json").write_text(json.dumps(classes))
    return "c0", 5, {}


def _outline(top, left, bottom, right):
    return [left, top, right, top, right, bottom, left, bottom]


def _coco(folder, more, names):
    boxes = [(1, 1, 3, 3), (0, 6, 6, 10)]
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1, "segmentation": [_outline(*box)]}
        for n, box in enumerate(boxes, 1)
    ]
    annotations[1] |= more
    picture = {"id": 1, "file_name": "c0.png", "height": 6, "width": 10}
    kinds = [{"id": number, "name": name} for number, name in names.items()]
    raw = {"images": [picture], "annotations": annotations, "categories": kinds}
    (folder / "all.json").write_text(json.dumps(raw))
    return "all.json"


def crowd_of_coco(folder):
    return _coco(folder, {"iscrowd": 1}, {1: "cell"}), None, {}


def class_of_coco(folder):
    """Its name counts, and another name is the one class that there is."""
    names = {1: "nucleus", 2: "Ignore"}
    return _coco(folder, {"category_id": 2}, names), 90, {}


def outlines(folder):
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"classification": {"name": name}},
        }
        for name, ring in (
            ("ignore", [[6, 0], [10, 0], [10, 6], [6, 6], [6, 0]]),
            ("cell", [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]),
        )
    ]
    collection = {"type": "FeatureCollection", "features": features}
    (folder / "c0.geojson").write_text(json.dumps(collection))
    return "c0.geojson", 2, {}


def yolo(folder):
    rows = "0 .1 .1667 .3 .1667 .3 .5 .1 .5\n1 .6 0 1 0 1 1 .6 1\n"
    (folder / "c0.txt").write_text(rows)
    return "c0.txt", -1, {}


@pytest.mark.parametrize(
    "say",
    [
        map_of_ids,
        negative_value,
        side_car,
        masks_of_classes,
        mask_of_a_foreground,
        folder_of_masks,
        crowd_of_coco,
        class_of_coco,
        outlines,
        yolo,
    ],
    ids=lambda say: say.__name__,
)
def test_what_nobody_looked_at_is_ignored_and_no_object(tmp_path, say):
    name, ignore, raw = say(tmp_path)

    found, _ = read_annotation(
        tmp_path / name, dataset(tmp_path, **raw), task(ignore), image=ON, case_id="c0"
    )

    assert len(found.ids) == 1
    assert np.where(found.labels > 0, 7, found.labels).tolist() == drawn(-2).tolist()
    assert found.class_of(found.ids[0]) == 1


def test_objects_lie_over_what_is_ignored_in_whatever_order(tmp_path):
    name, ignore, _ = outlines(tmp_path)
    text = (tmp_path / name).read_text().replace("[3, ", "[8, ")
    (tmp_path / name).write_text(text)

    found, _ = read_annotation(tmp_path / name, None, task(ignore), image=ON)

    assert (found.labels == found.ids[0]).sum() == 2 * 7
    assert (found.labels == IGNORED).sum() == 4 * 6 - 2 * 2


@pytest.mark.parametrize("raw", [{}, {"components": True}], ids=["ids", "components"])
def test_a_predicted_object_may_have_the_number_of_ignore(tmp_path, raw):
    labels = np.zeros(SHAPE, np.uint8)
    labels[:3], labels[3:] = 2, 1  # they touch, and stay two
    Image.fromarray(labels).save(tmp_path / "c0.png")

    found, _ = read_prediction(tmp_path / "c0.png", dataset(tmp_path, **raw), task(2))

    assert found.ids == [1, 2]


def test_check_says_how_much_is_ignored_and_that_its_value_may_be_an_object(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "labelsTr").mkdir()
    meta = {
        "task": "instance",
        "channel_names": ["a"],
        "labels": {"background": 0, "cell": 1, "ignore": 2},
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    for case in ("c0", "c1"):
        labels = np.zeros((20, 20), np.uint8)
        labels[2:5, 2:5], labels[2:5, 8:11], labels[10:, :] = 1, 3, 2
        Image.fromarray(labels).save(tmp_path / f"labelsTr/{case}.png")
        image = np.random.default_rng(0).integers(0, 99, (20, 20), np.uint8)
        Image.fromarray(image).save(tmp_path / f"imagesTr/{case}.png")

    found = {p.severity: p.found for p in check(tmp_path) if "`ignore`" in p.found}

    assert "In 2 cases (c0, c1) nobody annotated 50.0% of the voxels" in found["note"]
    assert found["warning"].startswith(
        "The value 2 is `ignore`, and lies among the ids"
    )


def test_json_beside_a_folder_of_masks_tells_of_them_and_is_no_annotation(tmp_path):
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    meta = {
        "task": "instance",
        "channel_names": ["a"],
        "labels": {"background": 0, "cell": 1, "dot": 2, "ignore": 9},
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    rng = np.random.default_rng(0)
    for case in ("c0", "c1"):
        image = rng.integers(0, 99, (20, 20), np.uint8)
        Image.fromarray(image).save(tmp_path / f"imagesTr/{case}.png")
        (tmp_path / f"labelsTr/{case}").mkdir()
        for at, name in ((2, "a"), (8, "b"), (14, "nobody")):
            mask = np.zeros((20, 20), np.uint8)
            mask[at : at + 4, 3:9] = 255
            Image.fromarray(mask).save(tmp_path / f"labelsTr/{case}/{name}.png")
        said = {"a.png": "cell", "b.png": 2, "nobody.png": "ignore"}
        side_car = tmp_path / f"labelsTr/{case}.json"
        side_car.write_text(json.dumps({"instances": said}))

    report = examine(tmp_path)

    assert [c.annotation.name for c in report.dataset.training] == ["c0", "c1"]
    assert report.dataset.annotation_ending == ".png"  # of predictions
    assert report.classes == {"cell": 2, "dot": 2}
    (note,) = [
        p.found for p in report.problems if p.severity != "note" or "nobody" in p.found
    ]
    assert "nobody annotated 6.0% of the voxels" in note  # 4 x 6 of 400
