"""Points are scored from whatever files they are in."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.points import write_points
from autoseg.errors import FormatError, UsageError
from autoseg.evaluate.point_files import point_files
from autoseg.evaluate.stage import evaluate
from autoseg.formats.natural import NaturalFormat
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, Points

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.5))
TRUTH = "case,landmark,x,y\n"
FOUND = "case,landmark,x,y,score,error_p95\n"
for number, case in enumerate(("one", "two", "three")):
    TRUTH += f"{case},tip,1,2\n{case},root,5,6\n"
    # off by 3 and 4 voxels of 0.5 in the first case, else by nothing
    off = (3, 4) if number == 0 else (0, 0)
    FOUND += f"{case},tip,{1 + off[0]},{2 + off[1]},0.9,1\n{case},root,5,6,0.9,1\n"


@pytest.fixture
def dataset(tmp_path):
    """A data set with one table for all cases; only the header of images is there."""
    folder = tmp_path / "set"
    for name in ("imagesTr", "imagesTs"):
        (folder / name).mkdir(parents=True)
    for case in ("one", "two", "three"):
        picture = Image.fromarray(np.zeros((9, 8), np.uint8))
        picture.save(folder / "imagesTr" / f"{case}_0000.png")
    (folder / "labelsTr.csv").write_text(TRUTH)
    says = {
        "task": "landmark",
        "channel_names": {"0": "x"},
        "landmarks": ["tip", "root"],
        "spacing": [0.5, 0.5],
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(says))
    return folder


@pytest.fixture
def no_voxels(monkeypatch):
    def refuse(*_):
        raise AssertionError("an image was read")

    monkeypatch.setattr(NaturalFormat, "load", refuse)


@pytest.mark.usefixtures("no_voxels")
def test_one_file_holds_all_predictions_and_one_all_annotations(tmp_path, dataset):
    (tmp_path / "found.csv").write_text(FOUND)
    (tmp_path / "truth.csv").write_text(TRUTH)

    summary = evaluate(tmp_path / "found.csv", tmp_path / "truth.csv", dataset)

    assert set(summary.cases) == {"one", "two", "three"}
    assert summary.cases["one"]["tip"]["mre"] == 2.5
    assert summary.unit == "mm"
    everything = summary.points["all points"]
    assert everything["count"] == 6
    assert everything["mre"] == pytest.approx(2.5 / 6)
    assert everything["sdr_2"] == pytest.approx(5 / 6)
    assert everything["sdr_2.5"] == 1  # a radius is reached with <=
    assert everything["covered_95"] == pytest.approx(5 / 6)
    assert (tmp_path / "summary.json").is_file()


@pytest.mark.usefixtures("no_voxels")
def test_the_data_sets_own_table_is_the_annotation(tmp_path, dataset):
    (tmp_path / "found.csv").write_text(FOUND)

    summary = evaluate(tmp_path / "found.csv", dataset=dataset)

    assert summary.points["all points"]["mre"] == pytest.approx(2.5 / 6)


def test_a_table_of_annotations_is_no_prediction(tmp_path, dataset):
    (tmp_path / "found.csv").write_text(FOUND)
    truth = dataset / "labelsTr.csv"

    with pytest.raises(UsageError, match="Give predictions with -p"):
        evaluate(truth, tmp_path / "found.csv", dataset)
    with pytest.raises(UsageError, match=r"Say where scores go \(-o\)"):
        evaluate(truth, dataset=dataset)

    assert not (dataset / "summary.json").exists()


def test_images_elsewhere_say_how_large_a_voxel_is(tmp_path, dataset):
    images = tmp_path / "images"
    (dataset / "imagesTr" / "one_0000.png").rename(dataset / "imagesTs/new_0000.png")
    (dataset / "imagesTs").rename(images)
    (tmp_path / "truth.csv").write_text("case,landmark,x,y\nnew,tip,1,2\n")
    (tmp_path / "found.csv").write_text("case,landmark,x,y\nnew,tip,4,6\n")
    given = tmp_path / "found.csv", tmp_path / "truth.csv", dataset

    with pytest.raises(Exception, match="which image"):
        evaluate(*given)
    summary = evaluate(*given, images=images)

    assert summary.cases["new"]["tip"]["mre"] == 2.5


def test_a_folder_has_a_file_for_each_case_and_copies_do_not_count(tmp_path):
    points = Points(("tip",), np.array([[1.0, 2.0]]), [PRESENT])
    for name in ("a.json", "a.mrk.json", "b.json", "c.mrk.json", "points.csv"):
        write_points(tmp_path / name, points, GEOMETRY)
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / "landmarks.csv").write_text("landmark\n")

    found = point_files(tmp_path, None)

    names = {case: path.name for case, path in found.items()}
    assert names == {"a": "a.json", "b": "b.json", "c": "c.mrk.json"}


def test_two_files_of_a_case_are_an_error(tmp_path):
    for name in ("a.csv", "a.fcsv"):
        (tmp_path / name).write_text("")

    with pytest.raises(UsageError, match="several files of case 'a': a.csv, a.fcsv"):
        point_files(tmp_path, None)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="gone.csv does not exist"):
        point_files(tmp_path / "gone.csv", None)
    (tmp_path / "a.csv").write_text("case,landmark,x,y\none,tip,a,2\n")
    with pytest.raises(FormatError, match="a.csv: a, 2 are no coordinates"):
        point_files(tmp_path / "a.csv", None)


@pytest.mark.parametrize("name", ["points.csv", "landmarks.csv", "mine.csv"])
def test_a_folder_that_holds_one_table_is_that_table(tmp_path, name):
    (tmp_path / "summary.json").write_text("{}")
    (tmp_path / name).write_text(TRUTH)

    found = point_files(tmp_path, None)

    assert found == dict.fromkeys(["one", "three", "two"], tmp_path / name)


def test_two_tables_alone_are_an_error(tmp_path):
    for name in ("points.csv", "points.json"):
        (tmp_path / name).write_text(TRUTH)

    with pytest.raises(UsageError, match="points.csv and points.json"):
        point_files(tmp_path, None)
