import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points

NAMES = ["tip", "root"]


def read(tmp_path, text, names=NAMES, name="a.csv"):
    (tmp_path / name).write_text(text)
    return read_points(tmp_path / name, names)


@pytest.mark.parametrize(
    "header",
    [
        "case,tip_x,tip_y,root_x,root_y\n",
        "image,tip.x,tip.y,root.x,root.y\n",
        "id,x1,y1,x2,y2\n",
        "filename,1_x,1_y,2_x,2_y\n",
        "filename,0_x,0_y,1_x,1_y\n",
        "case,x_tip,y_tip,x_root,y_root\n",
        "",
    ],
)
def test_headers_of_many_kinds_are_understood(tmp_path, header):
    found = read(tmp_path, header + "one.png,1,2,3,4\ntwo.png,5,6,nan,nan\n")

    assert list(found) == ["one", "two"]
    assert found["one"].names == ("tip", "root")
    assert found["one"].coordinates.tolist() == [[2, 1], [4, 3]]
    assert found["two"].names == ("tip",)


def test_three_axes_are_told_by_the_number_of_landmarks(tmp_path):
    found = read(tmp_path, "one,1,2,3,4,5,6\n")

    assert found["one"].coordinates.tolist() == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.parametrize("text", ["1,2\n3,4\n", "1 2\n3 4\n", "x,y\n1,2\n3,4\n"])
def test_a_list_of_points_is_one_case_in_order(tmp_path, text):
    found = read(tmp_path, text, name="one.txt")

    assert found["one"].names == ("tip", "root")
    assert found["one"].coordinates.tolist() == [[2, 1], [4, 3]]


@pytest.mark.parametrize(
    "text, match",
    [
        ("one,1,2,3\n", "3 coordinates in a row for 2 landmarks"),
        ("case,tip_x,tip_y,root_x\none,1,2,3\n", "give case,tip_x,tip_y"),
        ("one,1,2,3,4\ntwo,1,2\n", "3 or 5 cells"),
        ("1,2\n", "1 points without names; `landmarks` has 2"),
        ("one,1,2,3,4\none,1,2,3,4\n", "'one' comes twice"),
        ("", "empty"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        "30,5;5,25\n1;2\n",
        "30,5\t5,25\n1\t2\n",
        "x;y\n30,5;5,25\n1;2\n",
        "case;tip_x;tip_y;root_x;root_y\nc0.png;30,5;5,25;1,0;2\n",
        "case;landmark;x;y\nc0;tip;30,5;5,25\nc0;root;+1,0e0;2\n",
    ],
)
def test_decimal_commas_between_semicolons_and_tabs(tmp_path, text):
    (tmp_path / "c0.csv").write_text(text)

    found = read_points(tmp_path / "c0.csv", ["tip", "root"])["c0"]

    assert found.names == ("tip", "root")
    assert found.coordinates.tolist() == [[5.25, 30.5], [2, 1]]


def test_commas_between_cells_stay_what_they_are(tmp_path):
    (tmp_path / "c0.csv").write_text('case,landmark,x,y,note\nc0,tip,3,4,"a;b"\n')

    found = read_points(tmp_path / "c0.csv", ["tip"])["c0"]

    assert found.coordinates.tolist() == [[4, 3]]


def test_names_that_end_in_an_axis_do_not_change_which_letter_counts(tmp_path):
    head = "case,x_apex,y_apex,x_tip,y_tip\n"
    found = read(tmp_path, head + "one,1,2,3,4\n", ["tip", "apex"])["one"]

    assert dict(zip(found.names, found.coordinates.tolist(), strict=True)) == {
        "tip": [4, 3],
        "apex": [2, 1],
    }


def test_pandas_counts_rows_in_front(tmp_path):
    found = read(tmp_path, ",case,tip_x,tip_y,root_x,root_y\n0,one.png,1,2,N/A,N/A\n")

    assert found["one"].coordinates.tolist() == [[2, 1]]


@pytest.mark.parametrize("word", ["NA", "N/A", "#N/A", "<NA>", "-", "null", "-nan"])
def test_words_of_other_programs_for_nothing_are_missing(tmp_path, word):
    found = read(tmp_path, f"one,1,2,{word},{word}\n")["one"]

    assert found.names == ("tip",)
