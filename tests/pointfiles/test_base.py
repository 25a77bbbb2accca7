import numpy as np
import pytest

from autoseg.errors import DatasetError, FormatError
from autoseg.pointfiles.base import (
    Item,
    case_id,
    find_point_file,
    image_case,
    read_points,
    write_points,
)
from autoseg.spec.points import Points


def test_the_longest_ending_decides_and_then_the_content(tmp_path):
    contents = {
        "a.mrk.json": ("{}", "SlicerMarkups"),
        "a.json": ('{"tip": [1, 2]}', "JsonPoints"),
        "b.json": ('{"annotations": [], "categories": []}', "CocoKeypoints"),
        "c.json": ('{"markups": []}', "SlicerMarkups"),
        "a.csv": ("case,landmark,x,y\n", "TidyCsv"),
        "b.csv": ("case,tip_x,tip_y\n", "WideCsv"),
        "c.txt": ("1,2\n3,4\n", "WideCsv"),
        "a.nii.gz": ("", "CubeMap"),
    }
    for name, (text, expected) in contents.items():
        (tmp_path / name).write_text(text)

        assert type(find_point_file(tmp_path / name)).__name__ == expected


def test_an_unknown_ending_is_refused_with_those_that_there_are(tmp_path):
    (tmp_path / "a.docx").write_text("")

    with pytest.raises(FormatError, match=r"\.fcsv.*\.mrk\.json"):
        read_points(tmp_path / "a.docx")
    with pytest.raises(FormatError, match=r"written as \.coco\.json, \.csv"):
        write_points(tmp_path / "b.docx", [])


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FormatError, match="does not exist"):
        read_points(tmp_path / "a.json")


def test_landmarks_of_another_data_set_are_an_error(tmp_path):
    (tmp_path / "a.json").write_text('{"nose": [1, 2]}')

    with pytest.raises(FormatError, match="landmarks nose; none of them"):
        read_points(tmp_path / "a.json", ["tip"])


def test_numbers_stand_for_landmarks_in_order(tmp_path):
    (tmp_path / "a.json").write_text('{"2": [1, 2]}')

    assert read_points(tmp_path / "a.json", ["tip", "root"])["a"].names == ("root",)


def test_physical_points_without_an_image_are_an_error(tmp_path):
    (tmp_path / "a.json").write_text('{"tip": [1, 2]}')

    with pytest.raises(FormatError, match="a.json: its points are in physical"):
        read_points(tmp_path / "a.json", coordinates={"space": "physical"})


def test_a_wrong_convention_is_refused_with_those_that_there_are(tmp_path):
    (tmp_path / "a.json").write_text('{"tip": [1, 2]}')

    with pytest.raises(DatasetError, match="'frame': 'LAS'; there are LPS, RAS"):
        read_points(tmp_path / "a.json", coordinates={"frame": "LAS"})


@pytest.mark.parametrize("origin, shift", [("center", 0), ("corner", 0.5), ("one", 1)])
def test_the_first_voxel_may_be_counted_otherwise(tmp_path, origin, shift):
    (tmp_path / "a.json").write_text('{"tip": [7, 3]}')

    points = read_points(tmp_path / "a.json", coordinates={"origin": origin})["a"]

    assert points.coordinates.tolist() == [[3 - shift, 7 - shift]]


def test_several_cases_do_not_go_into_a_file_of_one(tmp_path):
    item = Item(case="a", points=Points.of({"tip": (1, 2, 3)}, dim=3))

    with pytest.raises(FormatError, match="one case, not 2"):
        write_points(tmp_path / "a.mrk.json", [item, item])
    assert not list(tmp_path.iterdir())


def test_case_ids_come_from_names():
    assert case_id(__import__("pathlib").Path("x/scan.1.nii.gz")) == "scan.1"
    assert image_case(r"C:\images\scan_1_0000.png") == "scan_1"
    assert image_case("007") == "007"


def test_text_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00\x01")
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)

    for name in ("a.csv", "a.json", "a.npy"):
        with pytest.raises(FormatError, match=name):
            read_points(tmp_path / name)
