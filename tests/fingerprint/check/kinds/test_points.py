"""What check says about landmarks."""

import json
from pathlib import Path

import numpy as np
import pytest
from skimage import io

from autoseg.datasets.frames import mistaken_frame
from autoseg.fingerprint.check.kinds.points import point_problems
from autoseg.fingerprint.check.stage import check
from autoseg.spec.image import Geometry
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


# As a scanner's image lies: the first voxel right, front and low of the center.
SCANNED = Geometry(
    shape=(30, 50, 40), spacing=(2.0, 1.2, 1.0), origin=(-90.0, -120.0, -40.0)
)
INSIDE = np.array([[15.0, 30, 28], [15, 30, 12], [12, 38, 20], [5, 42, 20]])


def fix_of(places, name, geometry=SCANNED):
    points = Points.of(dict(zip("abcd", places, strict=True)), dim=geometry.dim)
    points = points.moved(points.coordinates, geometry.shape)
    return [(p.severity, p.fix) for p in point_problems(points, Path(name), geometry)]


@pytest.mark.parametrize(
    ("name", "where"),
    [("a.mrk.json", "`coordinateSystem`"), ("a.fcsv", "`CoordinateSystem`")],
)
def test_points_in_the_other_frame_say_where_that_is_said(name, where):
    # x and y of a voxel at (x, y, z) mm, read with the opposite sign:
    # -90 + i mm becomes 90 - i mm, which is voxel 180 - i; so for y, by 1.2 mm.
    wrong = INSIDE.copy()
    wrong[:, 2] = 180 - INSIDE[:, 2]
    wrong[:, 1] = 200 - INSIDE[:, 1]

    ((severity, fix),) = fix_of(wrong, name)

    assert severity == "error"
    assert "in the other frame" in fix and where in fix


def test_millimeters_that_are_read_as_voxels_are_noticed():
    # x, y, z in mm, as they stand in the file; read as voxels, slowest axis first
    written = INSIDE * SCANNED.spacing + SCANNED.origin[::-1]

    ((severity, fix),) = fix_of(written, "a.csv")

    assert severity == "error"
    assert '"space": "physical", "frame": "LPS"' in fix


def test_voxels_that_are_read_as_millimeters_are_noticed():
    read = (INSIDE - SCANNED.origin[::-1]) / SCANNED.spacing

    ((severity, fix),) = fix_of(read, "a.mrk.json")

    assert severity == "error" and "Taken as voxels, all are inside" in fix


def test_points_of_a_larger_picture_are_noticed():
    flat = Geometry(shape=(60, 40), spacing=(1.0, 1.0))
    places = np.array([[100.0, 60], [90, 20], [110, 70], [30, 10]])

    ((severity, fix),) = fix_of(places, "a.csv", flat)

    assert severity == "error" and "on a larger copy of the image" in fix


def test_fractions_of_the_image_are_noticed():
    flat = Geometry(shape=(60, 40), spacing=(1.0, 1.0))
    places = np.array([[0.2, 0.3], [0.9, 0.4], [0.5, 0.5], [0.1, 0.8]])

    ((severity, fix),) = fix_of(places, "a.csv", flat)

    assert severity == "warning" and "fractions of the image's size" in fix


def small(tmp_path, labels, **more):
    described = {
        "task": "landmark",
        "channel_names": {"0": "gray"},
        "landmarks": ["nose", "chin", "brow"],
        "file_ending": ".png",
        **more,
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        image = rng.integers(0, 255, (20, 30), dtype=np.uint8)
        io.imsave(tmp_path / f"imagesTr/c{i}_0000.png", image, check_contrast=False)
    for name, text in labels.items():
        (tmp_path / name).write_text(text)
    return [(p.severity, p.file.name, f"{p.found} {p.fix}") for p in check(tmp_path)]


GOOD = '{"nose": [10, 5], "chin": [12, 15], "brow": [9, 2]}'


def test_a_name_that_nobody_knows_is_told_with_the_one_that_may_be_meant(tmp_path):
    odd = GOOD.replace("nose", "noes")
    labels = {f"labelsTr/c{i}.json": GOOD if i else odd for i in range(3)}

    found = small(tmp_path, labels)

    (strange,) = [text for _, file, text in found if file == "c0.json"]
    assert "'noes'" in strange and "meant to be 'nose'" in strange
    assert any("nose in 1 of 3 cases" in t for s, _, t in found if s == "note")


def test_a_name_twice_and_a_second_file_are_told(tmp_path):
    twice = '{"nose": [1, 2], "nose": [3, 4]}'
    labels = {f"labelsTr/c{i}.json": GOOD if i else twice for i in range(3)}

    found = small(tmp_path, labels | {"labelsTr/c1.csv": "landmark,x,y\n"})

    assert any(f == "c0.json" and "'nose' twice" in t for _, f, t in found)
    assert any(f == "c1.csv" and "another annotation" in t for _, f, t in found)


def test_a_table_is_compared_with_the_images(tmp_path):
    rows = "".join(f"c{i},nose,3,4\nc{i},chin,8,9\n" for i in (0, 2))

    found = small(tmp_path, {"labelsTr.csv": f"case,landmark,x,y\n{rows}z,nose,1,2\n"})

    assert any("no case 'c1'" in t for s, _, t in found if s == "error")
    assert any("points of z, of which there is no image" in t for _, _, t in found)


def test_a_convention_that_is_none_is_told_once(tmp_path):
    labels = {f"labelsTr/c{i}.json": GOOD for i in range(3)}

    found = small(tmp_path, labels, coordinates={"frame": "XYZ"})

    told = [(file, text) for s, file, text in found if s == "error"]
    assert [file for file, _ in told] == ["dataset.json"]
    assert "there are LPS, RAS" in told[0][1]


@pytest.mark.parametrize("table", ["labelsTr.csv", "labelsTr/points.csv"])
def test_points_of_jpeg_images_are_no_jpeg_annotations(tmp_path, table):
    described = {
        "task": "landmark",
        "channel_names": {"0": "gray"},
        "landmarks": ["tip", "root"],
        "file_ending": ".jpg",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    rng = np.random.default_rng(0)
    rows = "case,landmark,x,y\n"
    for i in range(5):
        image = rng.integers(0, 255, (20, 30), dtype=np.uint8)
        io.imsave(tmp_path / f"imagesTr/c{i}_0000.jpg", image, check_contrast=False)
        rows += f"c{i},tip,20,{5 + i}\nc{i},root,5,{5 + i}\n"
    (tmp_path / table).write_text(rows)

    assert check(tmp_path, workers=1) == []


def placed(tmp_path, root, count=12, **more):
    """A data set of 12 pictures: `tip` wanders, `root` is where `root(case)` says."""
    described = {
        "task": "landmark",
        "channel_names": {"0": "gray"},
        "landmarks": ["tip", "root"],
        "file_ending": ".png",
        **more,
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    (tmp_path / "imagesTr").mkdir()
    rng = np.random.default_rng(0)
    rows = ["case,landmark,x,y"]
    for i in range(count):
        image = rng.integers(0, 255, (40, 60), dtype=np.uint8)
        io.imsave(tmp_path / f"imagesTr/c{i}_0000.png", image, check_contrast=False)
        x, y = root(i)
        rows += [f"c{i},tip,{20 + i},{5 + i}", f"c{i},root,{x},{y}"]
    (tmp_path / "labelsTr.csv").write_text("\n".join(rows))
    return [p for p in check(tmp_path) if "The landmark" in p.found]


@pytest.mark.parametrize(
    "first, more",
    [(0, {}), (1, {"coordinates": {"origin": "one"}}), (7, {})],
)
def test_one_place_in_several_cases_may_be_a_point_that_is_missing(
    tmp_path, first, more
):
    def root(i):
        return (first if i % 3 == 0 else 30 + i, first if i % 3 == 0 else 12 + 2 * i)

    (found,) = placed(tmp_path, root, **more)

    assert found.severity == "warning"
    assert "'root'" in found.found and "4 of 12 cases: c0, c3, c6, c9" in found.found
    where = "exactly (7, 7)" if first == 7 else None
    assert where is None or where in found.found


def test_zero_in_two_cases_is_enough_and_another_place_is_not(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    (zero,) = placed(tmp_path / "a", lambda i: (0, 0) if i < 2 else (30 + i, 9 + i))
    other = placed(tmp_path / "b", lambda i: (7, 9) if i < 2 else (30 + i, 9 + i))

    assert "0 along all axes in 2 of 12 cases: c0, c1." in zero.found
    assert other == []


def test_a_landmark_that_never_moves_is_no_missing_point(tmp_path):
    assert placed(tmp_path, lambda i: (9, 9)) == []
