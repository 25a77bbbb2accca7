"""What check says about landmarks."""

import json

import numpy as np
import pytest
from skimage import io

from autoseg.fingerprint._check_points import mistaken_frame, point_problems
from autoseg.fingerprint.check import check
from autoseg.spec.points import Points


def test_points_outside_say_which_change_of_axes_puts_them_in():
    points = Points.of({"a": (3, 30), "b": (5, 20)}, dim=2)
    points = points.moved(points.coordinates, (40, 10))
    (problem,) = point_problems(points, "file")
    assert problem.severity == "error" and "2 of 2" in problem.found
    assert "Reverse the order of the axes" in problem.fix


@pytest.mark.parametrize(
    ("places", "shape", "expected"),
    [
        ([[5, -30.0], [6, -2.0]], (40, 50), "Change the sign of x"),
        ([[-5, 2, -30.0]], (40, 50, 60), "Change the sign of z and x"),
        ([[5, 300.0]], (40, 50), ""),
    ],
)
def test_flipped_axes_are_found_and_mere_mistakes_are_not(places, shape, expected):
    assert mistaken_frame(np.array(places), shape) == expected


def test_points_that_are_a_little_outside_are_a_warning():
    points = Points.of({"a": (3, 9.8), "b": (5, 2)}, dim=2)
    (problem,) = point_problems(points.moved(points.coordinates, (40, 10)), "file")
    assert problem.severity == "warning" and "a." in problem.found


def test_two_landmarks_at_one_place_are_named():
    points = Points.of({"a": (3, 4), "b": (3, 4), "c": (1, 1)}, dim=2)
    (problem,) = point_problems(points.moved(points.coordinates, (10, 10)), "file")
    assert problem.found.startswith("a and b ")


def test_a_case_with_left_and_right_swapped_is_found_among_others(tmp_path):
    described = {
        "task": "landmark",
        "channel_names": {"0": "gray"},
        "landmarks": ["eye_left", "eye_right", "never"],
        "file_ending": ".png",
        "label_ending": ".json",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    rng = np.random.default_rng(0)
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    for i in range(12):
        image = rng.integers(0, 255, (20, 30), dtype=np.uint8)
        io.imsave(tmp_path / f"imagesTr/c{i:02d}_0000.png", image, check_contrast=False)
        left, right = (20.0, 10.0), (5.0, 10.5)
        if i == 7:
            left, right = right, left
        points = {"eye_left": left, "eye_right": right}
        label = {"coordinate_system": "voxel_xy", "points": points}
        (tmp_path / f"labelsTr/c{i:02d}.json").write_text(json.dumps(label))

    found = [p for p in check(tmp_path) if p.severity != "note"]

    swapped = [p for p in found if "other way round" in p.found]
    assert [p.file.name for p in swapped] == ["c07.json"]
    assert any("'never'" in p.found for p in found)
    assert not [p for p in found if p.severity == "error"]
