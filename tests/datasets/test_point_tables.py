"""One file with the points of all training cases."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.point_tables import find_point_table
from autoseg.datasets.read import load_dataset
from autoseg.errors import FormatError
from autoseg.fingerprint.check.stage import check
from autoseg.spec.image import Geometry
from autoseg.tasks.landmark import LandmarkTask

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.5))
TABLE = "case,landmark,x,y\none,tip,1,2\ntwo,tip,3,4\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    for case in ("one", "two", "three"):
        (tmp_path / "imagesTr" / f"{case}_0000.png").write_bytes(b"")
    says = {
        "task": "landmark",
        "channel_names": {"0": "x"},
        "landmarks": {"names": ["tip", "root"]},
        "file_ending": ".png",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(says))
    return tmp_path


def tip_of(folder, case_id):
    dataset = load_dataset(folder)
    case = dataset.case(case_id)
    task = LandmarkTask(["tip", "root"])
    points, _ = read_annotation(
        case.annotation, dataset, task, image=GEOMETRY, case_id=case_id
    )
    return points.coordinates[0].tolist()


@pytest.mark.parametrize("name", ["labelsTr.csv", "labelsTr/all.csv"])
def test_each_case_finds_its_rows(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(TABLE)

    assert tip_of(folder, "one") == [2, 1]
    assert tip_of(folder, "two") == [4, 3]


def test_a_case_that_the_table_lacks_is_an_error(folder):
    (folder / "labelsTr.csv").write_text(TABLE)

    with pytest.raises(
        FormatError, match="has the cases one, two, and no case 'three'"
    ):
        tip_of(folder, "three")


def test_the_file_of_one_case_is_no_table(folder):
    (folder / "labelsTr").mkdir()
    (folder / "labelsTr" / "one.csv").write_text("landmark,x,y\ntip,1,2\n")

    assert find_point_table(folder) is None
    assert load_dataset(folder).case("one").annotation.name == "one.csv"


def test_a_damaged_file_is_left_to_whoever_reads_it(folder):
    (folder / "labelsTr").mkdir()
    (folder / "labelsTr" / "one.json").write_text("{")

    assert find_point_table(folder) is None


@pytest.mark.parametrize("ending", [".mrk.json", ".fcsv", ".pts", ".json", ".csv"])
def test_files_of_each_case_are_found_whatever_their_ending(folder, ending):
    (folder / "labelsTr").mkdir()
    for case in ("one", "two", "three"):
        (folder / "labelsTr" / f"{case}{ending}").write_text("")

    annotation = load_dataset(folder).case("two").annotation

    assert annotation == folder / "labelsTr" / f"two{ending}"
    assert annotation.is_file()


@pytest.mark.parametrize(
    "name", ["points.csv", "landmarks.tsv", "annotations.json", "CollectedData_me.csv"]
)
def test_a_table_beside_the_images_is_found_by_other_names(folder, name):
    text = TABLE.replace(",", "\t") if name.endswith("tsv") else TABLE
    if name.endswith("json"):
        text = '{"one": {"tip": [1, 2]}, "two": {"tip": [3, 4]}}'
    (folder / name).write_text(text)

    assert tip_of(folder, "one") == [2, 1]
    assert tip_of(folder, "two") == [4, 3]


def test_a_file_that_names_no_case_is_no_table(folder):
    (folder / "notes.csv").write_text("case,landmark,x,y\nsomebody,tip,1,2\n")

    assert load_dataset(folder).case("one").annotation.name == "one.png"


def test_a_table_that_cannot_be_read_is_reported_once(folder):
    (folder / "labelsTr").mkdir()
    (folder / "labelsTr" / "all.csv").write_text("one,two\n1,2\n")
    for case in ("one", "two", "three"):
        Image.fromarray(np.eye(9, dtype=np.uint8) * 200).save(
            folder / "imagesTr" / f"{case}_0000.png"
        )

    found = [p for p in check(folder) if p.severity == "error"]

    assert [p.file.name for p in found] == ["all.csv"]
    assert "its columns are one, two" in found[0].found


BROKEN = (
    "scorer,,,me,me,me,me\nbodyparts,,,tip,tip,root,root\ncoords,,,x,y,x,y\n"
    "labeled-data,v,one.png,7,5,30,\n"
)


@pytest.mark.parametrize("name", ["CollectedData_me.csv", "points.csv"])
def test_a_table_that_cannot_be_read_says_why_and_not_that_files_are_missing(
    folder, name
):
    (folder / name).write_text(BROKEN)

    assert find_point_table(folder, {"one", "two"}) == folder / name
    with pytest.raises(FormatError, match="one.png', 'root': 30, nothing are no coo"):
        tip_of(folder, "one")


def test_another_table_is_not_taken_for_points(folder):
    (folder / "patients.csv").write_text("patient,age\n1,50\n2,60\n")

    assert find_point_table(folder, {"one", "two"}) is None
