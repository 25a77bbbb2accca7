"""Prediction of instances, from images to label maps and the files beside them."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from PIL import Image

from autoseg.errors import UsageError
from autoseg.geometry import mapped
from autoseg.outputs import JOURNAL
from autoseg.predict.job import Job
from autoseg.predict.readouts._instances import decode as decoding
from autoseg.predict.stage import predict
from autoseg.preprocess.later import Later
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Case
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
    names = sorted(path.name for path in out.iterdir())
    assert names == ["a.png", "a_instances.csv", JOURNAL]


def test_of_instances_the_number_of_a_case_is_the_mean_of_their_scores(
    images, tmp_path
):
    out = tmp_path / "out"
    predictor = _predictor({"cell": 1})
    predictor.options = replace(predictor.options, uncertainty=True)

    predict(predictor, images, out, progress=False)

    with (out / "a_instances.csv").open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    numbers = json.loads((out / "uncertainty.json").read_text())
    assert numbers["quality"]["a"] == pytest.approx(np.mean(scores), abs=1e-4)
    assert not (out / "uncertainty").exists()  # no image of it


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


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_large_picture_that_stays_in_its_file_gives_the_same(
    images, tmp_path, monkeypatch, compression
):
    picture = np.array(Image.open(images / "a_0000.png"))
    (tmp_path / "large").mkdir()
    tifffile.imwrite(
        tmp_path / "large" / "a_0000.tif", picture, compression=compression
    )
    predictor = _predictor({"cell": 1})
    predict(predictor, images, tmp_path / "small", progress=False)

    monkeypatch.setattr(mapped, "IN_MEMORY", 10)
    monkeypatch.setattr(decoding, "AT_ONCE", 10)
    monkeypatch.setattr(decoding, "BLOCK", 100)
    prepared = []
    prepare = predictor.prepare
    monkeypatch.setattr(
        predictor,
        "prepare",
        lambda *a, **k: prepared.append(prepare(*a, **k)) or prepared[-1],
    )
    predict(predictor, tmp_path / "large", tmp_path / "out", progress=False)

    assert isinstance(prepared[0].array.source, Later)
    found = np.array(Image.open(tmp_path / "out" / "a.png"))
    assert np.array_equal(found, _annotation())
    tables = [tmp_path / name / "a_instances.csv" for name in ("small", "out")]
    assert tables[0].read_text() == tables[1].read_text()


def test_ids_that_the_files_of_training_cannot_hold_go_into_a_tiff(tmp_path, caplog):
    # 300 objects of 3 x 3 pixels; a BMP holds ids up to 255.
    labels = np.zeros((60, 80), np.int32)
    number = iter(range(1, 301))
    for y in range(0, 60, 4):
        for x in range(0, 80, 4):
            labels[y : y + 3, x : x + 3] = next(number)
    task = TASKS["instance"](labels={"cell": 1}, representation=REPRESENTATION)
    classes = task.targets(labels, (1.0, 1.0))["border_core"]
    (tmp_path / "images").mkdir()
    picture = Image.fromarray((100 * classes).astype(np.uint8))
    picture.save(tmp_path / "images" / "a_0000.bmp")
    predictor = _predictor({"cell": 1})
    description = {**predictor.model.dataset, "file_ending": ".bmp"}
    predictor.model = replace(predictor.model, dataset=description)
    out = tmp_path / "out"

    for _ in range(2):  # the second time there is nothing to do
        written = predict(
            predictor,
            tmp_path / "images",
            out,
            continue_prediction=True,
            progress=False,
        )

    assert written == [out / "a.tif"]
    assert np.array_equal(tifffile.imread(out / "a.tif"), labels)
    assert caplog.text.count("It is written to") == 1
    assert not (out / "a.bmp").exists()


def test_an_image_is_never_overwritten_by_a_prediction(tmp_path):
    job = Job(
        case=Case(id="a", images=(tmp_path / "a.tif",)), output=tmp_path / "a.png"
    )

    assert job.spare is None and job.done() is job


def test_an_array_gives_an_array(images):
    image = np.array(Image.open(images / "a_0000.png"), np.float32)

    found = _predictor({"cell": 1}).predict(image)

    assert found.dtype == np.uint16
    assert np.array_equal(found, _annotation())
