"""Prediction of instances, from images to label maps and the files beside them."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from autoseg.errors import UsageError
from autoseg.predict.stage import predict
from autoseg.spec.choice import Choice
from autoseg.tasks import TASKS
from tests.predict import toy_model as toy

REPRESENTATION = {"name": "border_core", "options": {}}


def _annotation():
    labels = np.zeros((30, 40), np.int32)
    labels[3:10, 4:12], labels[10:18, 4:12], labels[20:30, 25:36] = 1, 2, 3
    return labels


def _predictor(labels):
    """A model that knows background, core and border by their intensities."""
    options = {"labels": labels, "representation": REPRESENTATION, "axes": 2}
    plan = toy.plan(2, unit="px", mirror=False)
    plan = replace(plan, task=Choice(name="instance", options=options))
    names = {"background": 0, **labels}
    dataset = toy.description(".png", labels=names, task="instance")
    intensities = (0, 100, 200)
    if len(labels) > 1:  # the class, too, is told by core or border: all are the second
        intensities = (0, 100, 200, 0, 300, 150)
    return toy.knowing(plan, intensities, dataset=dataset)


@pytest.fixture
def images(tmp_path):
    """One image whose intensities say what is core and what is border."""
    folder = tmp_path / "images"
    folder.mkdir()
    task = TASKS["instance"](labels={"cell": 1}, representation=REPRESENTATION)
    classes = task.targets(_annotation(), (1.0, 1.0))["border_core"]
    Image.fromarray((100 * classes).astype(np.uint8)).save(folder / "a_0000.png")
    return folder


def test_ids_are_numbered_in_order_and_the_table_says_what_they_are(images, tmp_path):
    out = tmp_path / "out"

    predict(_predictor({"cell": 1}), images, out, progress=False)

    found = np.array(Image.open(out / "a.png"))
    assert found.dtype == np.uint16
    assert np.array_equal(found, _annotation())
    with (out / "a_instances.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["class"] for row in rows] == ["cell"] * 3
    assert [row["size_px2"] for row in rows] == ["56", "64", "110"]
    assert [row["at_border"] for row in rows] == ["0", "0", "1"]
    # The first is 7 x 8: 5 x 6 of core with 100, the rest is border with 200.
    assert float(rows[0]["mean_channel 0"]) == pytest.approx(
        (3000 + 5200) / 56, rel=1e-4
    )
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "a_instances.csv"]


def test_other_programs_get_their_files_when_asked(images, tmp_path):
    out = tmp_path / "out"

    predict(
        _predictor({"cell": 1}),
        images,
        out,
        instance_files=("coco", "geojson"),
        progress=False,
    )

    coco = json.loads((out / "a_coco.json").read_text())
    assert coco["images"][0]["file_name"] == "a_0000.png"
    assert [one["area"] for one in coco["annotations"]] == [56, 64, 110]
    features = json.loads((out / "a.geojson").read_text())["features"]
    assert features[0]["geometry"]["coordinates"][0][0] == [4, 3]


def test_classes_are_written_as_beside_an_annotation(images, tmp_path):
    out = tmp_path / "out"

    predict(_predictor({"cell": 1, "debris": 4}), images, out, progress=False)

    assert set(json.loads((out / "a.json").read_text())["instances"]) == {"1", "2", "3"}


def test_a_model_without_instances_writes_none_of_their_files(images, tmp_path):
    semantic = toy.knowing(toy.plan(2, unit="px", mirror=False))

    with pytest.raises(UsageError, match="predicts no instances"):
        predict(semantic, images, tmp_path / "out", instance_files=("coco",))


def test_an_array_gives_an_array(images):
    image = np.array(Image.open(images / "a_0000.png"), np.float32)

    found = _predictor({"cell": 1}).predict(image)

    assert found.dtype == np.uint16
    assert np.array_equal(found, _annotation())
