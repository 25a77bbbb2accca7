import json

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import Item, read_points, write_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points


def read(tmp_path, content, **options):
    (tmp_path / "a.json").write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    return read_points(tmp_path / "a.json", **options)


@pytest.mark.parametrize(
    "content",
    [
        {"coordinate_system": "voxel_xyz", "points": {"tip": [1, 2, 3], "root": None}},
        {"coordinate_system": "voxel_zyx", "points": {"tip": [3, 2, 1], "root": None}},
        {"points": {"tip": {"position": [1, 2, 3]}}},
        {"tip": [1, 2, 3]},
        {"a": {"tip": [1, 2, 3]}},
        {"cases": {"a": {"points": {"tip": [1, 2, 3]}}}},
        '{"tip": [1, 2, 3], "root": [NaN, NaN, NaN]}',
    ],
)
def test_points_are_found_however_they_are_wrapped(tmp_path, content):
    found = read(tmp_path, content)

    assert list(found) == ["a"]
    assert found["a"].names == ("tip",)
    assert found["a"].coordinates.tolist() == [[3, 2, 1]]


def test_status_is_kept(tmp_path):
    content = {
        "points": {"tip": [1, 2], "root": None, "end": {"status": "unknown"}},
        "status": {"root": "absent"},
    }

    found = read(tmp_path, content)["a"]

    assert found.names == ("tip", "root", "end")
    assert found.status.tolist() == [PRESENT, ABSENT, UNKNOWN]


def test_what_the_file_says_wins_over_the_data_set(tmp_path):
    content = {"coordinate_system": "voxel_xy", "points": {"tip": [1, 2]}}

    found = read(tmp_path, content, coordinates={"index_order": "zyx"})["a"]

    assert found.coordinates.tolist() == [[2, 1]]


def test_what_was_written_is_read_again(tmp_path):
    geometry = Geometry(shape=(9, 8), spacing=(0.5, 0.25), origin=(1.0, 2.0))
    points = Points(
        ("tip", "root"),
        np.array([[1.125, 2.5], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
        {"score": np.array([0.9, 0.1]), "covariance": np.tile(np.eye(2), (2, 1, 1))},
    )
    items = [Item(case=case, points=points, geometry=geometry) for case in "bc"]
    write_points(tmp_path / "all.json", items)
    write_points(tmp_path / "b.json", items[:1])

    assert list(read_points(tmp_path / "all.json")) == ["b", "c"]
    found = read_points(tmp_path / "b.json")["b"]
    np.testing.assert_array_equal(found.coordinates, points.coordinates)
    np.testing.assert_array_equal(found.status, points.status)
    np.testing.assert_array_equal(found.details["score"], [0.9, 0.1])
    assert found.details["covariance"].shape == (2, 2, 2)
    written = json.loads((tmp_path / "b.json").read_text())
    # x: 1 + 2.5 * 0.25, y: 2 + 1.125 * 0.5
    assert written["points"]["tip"]["physical_lps_mm"] == [1.625, 2.5625]
    assert written["points"]["root"]["present"] is False
    assert written["geometry"]["origin"] == [1.0, 2.0]


def test_a_written_prediction_says_units_and_truths(tmp_path):
    points = Points(
        ("tip", "root"),
        np.array([[1.0, 2.0], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
        {
            "error_p95": np.array([2.5, np.nan]),
            "plausible": np.array([1.0, np.nan]),
            "low_confidence": np.array([0.0, np.nan]),
        },
    )
    geometry = Geometry(shape=(9, 8), spacing=(0.5, 0.25), unit="um")
    write_points(
        tmp_path / "a.json", [Item(case="a", points=points, geometry=geometry)]
    )

    written = json.loads((tmp_path / "a.json").read_text())["points"]
    assert written["tip"]["error_p95_um"] == 2.5
    assert written["tip"]["plausible"] is True
    assert written["tip"]["low_confidence"] is False
    assert written["root"]["plausible"] is None
    found = read_points(tmp_path / "a.json")["a"].details
    assert set(found) == set(points.details)
    np.testing.assert_array_equal(found["error_p95"], [2.5, np.nan])
    np.testing.assert_array_equal(found["plausible"], [1.0, np.nan])


@pytest.mark.parametrize(
    "content, match",
    [
        ("[1, 2]", "object in braces"),
        ("{", "no JSON"),
        ({"points": [[1, 2]]}, "by landmark"),
        ({"tip": [1]}, r"\[x, y\]"),
        ({"tip": [1, "a"]}, "no coordinates"),
        ({"coordinate_system": "moon", "points": {}}, "voxel_xy"),
        ({"tip": [1, 2], "root": [1, 2, 3]}, "2 or 3 numbers"),
        ({"points": {"tip": None}, "status": {"tip": "gone"}}, "'gone'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, content, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, content)
