"""Predicted points once more, in the files of other programs, and one by one."""

import json

import numpy as np
import pytest

from autoseg.datasets.points import read_points, write_points
from autoseg.errors import UsageError
from autoseg.pointfiles.base import read_points as read_file
from autoseg.predict.inputs import Prediction
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._points.files import write_point_files
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.tasks.semantic import SemanticTask
from tests.predict import toy_model as toy

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.25), origin=(10.0, 20.0))
POINTS = Points(
    ("tip", "root"),
    np.array([[1.5, 2.0], [np.nan, np.nan]]),
    [PRESENT, ABSENT],
    {"score": np.array([0.9, 0.2]), "error_p95": np.array([1.25, 3.0])},
)


@pytest.fixture
def jobs(tmp_path):
    found = []
    for case in ("one", "two"):
        output = tmp_path / f"{case}.json"
        write_points(output, POINTS, GEOMETRY)
        images = (tmp_path / f"{case}_0000.png",)
        found.append(Job(case=Case(id=case, images=images), output=output))
    return found


def test_all_kinds_are_written_beside_the_json(jobs, tmp_path):
    written = write_point_files(jobs, ["csv", "mrk.json", "coco"])

    assert [path.name for path in written] == [
        "points.csv",
        "one.mrk.json",
        "two.mrk.json",
        "points.coco.json",
    ]
    table = read_file(tmp_path / "points.csv")
    assert list(table) == ["one", "two"]
    assert table["two"].coordinates[0].tolist() == [1.5, 2.0]
    assert table["two"].status.tolist() == [PRESENT, ABSENT]
    assert table["two"].details["error_p95"].tolist() == [1.25, 3.0]
    coco = json.loads((tmp_path / "points.coco.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert names == ["one_0000.png", "two_0000.png"]  # files, as other programs want
    assert list(read_file(tmp_path / "points.coco.json")) == ["one", "two"]
    assert coco["annotations"][1]["keypoints"] == [2.0, 1.5, 2, 0.0, 0.0, 0]
    markup = json.loads((tmp_path / "two.mrk.json").read_text())["markups"][0]
    # x: 10 + 2 * 0.25, y: 20 + 1.5 * 0.5
    assert markup["controlPoints"][0]["position"] == [10.5, 20.75, 0.0]
    assert markup["controlPoints"][1]["positionStatus"] == "missing"


def test_copies_need_a_json_for_each_case(jobs, tmp_path):
    odd = Job(case=jobs[0].case, output=tmp_path / "mine.csv")

    with pytest.raises(UsageError, match="mine.csv is one file"):
        write_point_files([odd], ["csv"])


def readout(task, dim):
    return READOUTS[task.kind](toy.model(toy.plan(dim)), task, Options())


@pytest.mark.parametrize(
    "kinds, task, dim, match",
    [
        (["csv"], SemanticTask({"background": 0, "a": 1}), 2, "predicts no points"),
        (["xls"], LandmarkTask(["tip"]), 2, "xls; there are csv"),
        (["coco"], LandmarkTask(["tip"]), 3, "two axes"),
    ],
)
def test_what_cannot_be_written_is_said_before(kinds, task, dim, match):
    with pytest.raises(UsageError, match=match):
        readout(task, dim).wanted_files(point_files=kinds)


@pytest.mark.parametrize("ending", [".json", ".csv", ".mrk.json", ".coco.json"])
def test_a_prediction_saves_itself(tmp_path, ending):
    Prediction(labels=POINTS, geometry=GEOMETRY).save(tmp_path / f"a{ending}")

    found, _ = read_points(tmp_path / f"a{ending}", None, GEOMETRY)

    np.testing.assert_allclose(found.coordinates, POINTS.coordinates)
    assert found.status.tolist() == [PRESENT, ABSENT]


def test_labels_save_themselves_too(tmp_path):
    labels = np.arange(72, dtype=np.uint8).reshape(9, 8)

    Prediction(labels=labels, geometry=GEOMETRY).save(tmp_path / "a.mha")

    from autoseg.formats.base import find_format

    read, geometry = find_format("a.mha").read_labels(tmp_path / "a.mha")
    assert (read == labels).all()
    assert geometry.spacing == GEOMETRY.spacing
