import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry

VOLUME = Geometry(shape=(9, 30, 40), spacing=(2.0, 0.5, 0.5))


def read(tmp_path, text, geometry=None):
    (tmp_path / "c0.csv").write_text(text)
    return read_points(tmp_path / "c0.csv", ["tip", "root"], lambda case: geometry)


def test_axes_are_those_of_the_array_and_rows_are_in_order(tmp_path):
    found = read(tmp_path, "index,axis-0,axis-1\n0.0,12.5,30.25\n1.0,nan,nan\n")

    assert found["c0"].names == ("tip",)  # the second is missing
    assert found["c0"].coordinates.tolist() == [[12.5, 30.25]]


def test_points_of_a_volume_without_an_index(tmp_path):
    text = "axis-0,axis-1,axis-2\n1,2,3\n4,5,6\n"

    assert read(tmp_path, text, VOLUME)["c0"].coordinates.tolist() == [
        [1, 2, 3],
        [4, 5, 6],
    ]


def test_a_column_may_name_the_landmarks(tmp_path):
    text = "index,axis-0,axis-1,label\n0,1,2,root\n1,3,4,tip\n"

    found = read(tmp_path, text)["c0"]

    assert dict(zip(found.names, found.coordinates.tolist(), strict=True)) == {
        "root": [1, 2],
        "tip": [3, 4],
    }


@pytest.mark.parametrize(
    "text, words",
    [
        ("index,axis-0,axis-1,axis-2,axis-3\n0,1,2,3,4\n", "without time"),
        ("index,axis-0,axis-1,label\n0,1,2,tip\n1,3,4,tip\n", "the label 'tip'"),
        ("index,axis-0,axis-1\n0,1\n1,2,3\n", "row 2 has not 3"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
    with pytest.raises(FormatError, match=words):
        read(tmp_path, text)
