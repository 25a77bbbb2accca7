import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import Item, read_points, write_points
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points


def read(tmp_path, text, **options):
    (tmp_path / "a.csv").write_text(text)
    return read_points(tmp_path / "a.csv", **options)


def test_rows_are_gathered_by_case(tmp_path):
    found = read(
        tmp_path,
        "image,label,x,y,z,status\n"
        "one_0000.nii.gz,tip,1,2,3,\n"
        "two,tip,,,,absent\n"
        "one_0000.nii.gz,root,nan,nan,nan,unknown\n"
        "two,root,4,5,6,present\n",
    )

    assert list(found) == ["one", "two"]
    assert found["one"].names == ("tip", "root")
    assert found["one"].coordinates[0].tolist() == [3, 2, 1]
    assert found["one"].status.tolist() == [PRESENT, UNKNOWN]
    assert found["two"].status.tolist() == [ABSENT, PRESENT]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_of_one_case_needs_no_case(tmp_path, delimiter):
    rows = [["landmark", "x", "y"], ["tip", "1.5", "2"], ["root", "", ""]]

    found = read(tmp_path, "\n".join(delimiter.join(row) for row in rows))["a"]

    assert found.names == ("tip",)  # nothing is known of root
    assert found.coordinates.tolist() == [[2, 1.5]]


def test_what_was_written_is_read_again(tmp_path):
    points = Points(
        ("tip", "root, left"),
        np.array([[1.125, 2.5], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
        {"score": np.array([0.9, 0.1]), "covariance": np.zeros((2, 2, 2))},
    )
    write_points(tmp_path / "all.csv", [Item(case=c, points=points) for c in "bc"])

    found = read_points(tmp_path / "all.csv")

    assert list(found) == ["b", "c"]
    np.testing.assert_array_equal(found["c"].coordinates, points.coordinates)
    np.testing.assert_array_equal(found["c"].status, points.status)
    np.testing.assert_array_equal(found["c"].details["score"], [0.9, 0.1])


@pytest.mark.parametrize(
    "text, match",
    [
        ("landmark,x,y\ntip,1\n", "row 2 has 2 cells"),
        ("landmark,x,y\ntip,1,2\ntip,1,2\n", "row 3 names landmark 'tip' again"),
        ("landmark,x,y\ntip,1,b\n", "no coordinates"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(tmp_path, text, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, text)


def test_flags_are_written_as_words_and_read_as_numbers(tmp_path):
    points = Points(
        ("tip", "root", "end"),
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        np.array([PRESENT] * 3),
        {"low_confidence": np.array([1.0, 0.0, np.nan]), "score": np.ones(3)},
    )

    write_points(tmp_path / "all.csv", [Item(case="c", points=points)])

    rows = (tmp_path / "all.csv").read_text().splitlines()
    flag = rows[0].split(",").index("low_confidence")
    assert [row.split(",")[flag] for row in rows[1:]] == ["true", "false", ""]
    found = read_points(tmp_path / "all.csv")["c"]
    np.testing.assert_array_equal(found.details["low_confidence"], [1, 0, np.nan])
