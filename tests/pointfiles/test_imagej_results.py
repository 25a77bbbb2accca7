import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry


def read(tmp_path, text, name="c0.csv", geometry=None):
    (tmp_path / name).write_text(text)
    return read_points(tmp_path / name, ["tip", "root"], lambda case: geometry)


@pytest.mark.parametrize("name, mark", [("c0.csv", ","), ("c0.xls", "\t")])
def test_rows_are_in_the_order_of_the_landmarks(tmp_path, name, mark):
    text = " ,Area,Mean,X,Y\n1,0,220,30.5,5.25\n2,0,60,1,2\n".replace(",", mark)

    found = read(tmp_path, text, name)["c0"]

    assert found.names == ("tip", "root")
    assert found.coordinates.tolist() == [[5.25, 30.5], [2, 1]]


def test_slices_count_from_one(tmp_path):
    volume = Geometry(shape=(9, 30, 40), spacing=(2.0, 0.5, 0.5))
    text = " ,X,Y,Slice\n1,30,5,1\n2,1,2,4\n"

    found = read(tmp_path, text, geometry=volume)["c0"]

    assert found.coordinates.tolist() == [[0, 5, 30], [3, 2, 1]]


def test_labels_of_several_images_are_cases(tmp_path):
    text = " ,Label,X,Y\n1,a.tif,1,2\n2,a.tif,3,4\n3,b.tif,5,6\n4,b.tif,7,8\n"

    found = read(tmp_path, text, "points.csv")

    assert list(found) == ["a", "b"]
    assert found["b"].coordinates.tolist() == [[6, 5], [8, 7]]


def test_names_of_regions_are_landmarks(tmp_path):
    text = " ,Label,X,Y\n1,c0.tif:root,1,2\n2,c0.tif:tip,3,4\n"

    assert read(tmp_path, text)["c0"].names == ("root", "tip")


def test_numbers_of_regions_are_no_names(tmp_path):
    text = " ,Label,X,Y\n1,c0.tif:0002-0001,1,2\n2,c0.tif:0004-0003,3,4\n"

    assert read(tmp_path, text)["c0"].names == ("tip", "root")


def test_another_number_of_points_is_an_error(tmp_path):
    with pytest.raises(FormatError, match="1 points without names"):
        read(tmp_path, " ,X,Y\n1,30,5\n")


def test_as_many_labels_as_landmarks_are_their_names(tmp_path):
    found = read(tmp_path, " ,Label,X,Y\n1,root,1,2\n2,tip,3,4\n")["c0"]

    places = dict(zip(found.names, found.coordinates.tolist(), strict=True))
    assert places == {"root": [2, 1], "tip": [4, 3]}


def test_labels_of_images_with_one_point_each_are_cases(tmp_path):
    (tmp_path / "points.csv").write_text(" ,Label,X,Y\n1,a,1,2\n2,b,3,4\n")

    found = read_points(tmp_path / "points.csv", ["tip"], lambda case: None)

    assert list(found) == ["a", "b"]


def test_rows_without_numbers_in_front_are_told_by_what_was_measured(tmp_path):
    found = read(tmp_path, "Area,Mean,X,Y\n0,9,30.5,5.25\n0,9,1,2\n")["c0"]

    assert found.coordinates.tolist() == [[5.25, 30.5], [2, 1]]


@pytest.mark.parametrize("name", ["landmark", "label"])
def test_a_table_of_pandas_names_cases_and_landmarks(tmp_path, name):
    text = f",case,{name},x,y\n0,a,tip,1,2\n1,a,root,3,4\n2,b,root,5,6\n"

    found = read(tmp_path, text, "points.csv")

    assert found["a"].coordinates.tolist() == [[2, 1], [4, 3]]
    assert found["b"].names == ("root",)
