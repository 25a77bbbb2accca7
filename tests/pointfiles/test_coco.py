import json

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import Item, read_points, write_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points


def content(keypoints, **annotation):
    return {
        "images": [{"id": 7, "file_name": "sub/one_0000.jpg"}],
        "categories": [{"id": 3, "keypoints": ["tip", "root"]}, {"id": 4}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "keypoints": keypoints, **annotation},
            {"image_id": 7, "category_id": 4},
        ],
    }


def read(tmp_path, raw):
    (tmp_path / "all.json").write_text(json.dumps(raw))
    return read_points(tmp_path / "all.json")


def test_what_is_labeled_is_present_whether_visible_or_not(tmp_path):
    found = read(tmp_path, content([10, 20, 2, 30.5, 40, 1]))

    assert found["one"].names == ("tip", "root")
    assert found["one"].coordinates.tolist() == [[20, 10], [40, 30.5]]


def test_of_what_is_not_labeled_nothing_is_said(tmp_path):
    found = read(tmp_path, content([10, 20, 2, 0, 0, 0]))

    assert found["one"].names == ("tip",)


def test_what_was_written_is_read_again(tmp_path):
    points = Points(
        ("tip", "root", "end"),
        np.array([[1.25, 2.5], [np.nan] * 2, [np.nan] * 2]),
        np.array([PRESENT, ABSENT, UNKNOWN]),
        {"score": np.array([0.9, 0.1, 0.2])},
    )
    geometry = Geometry(shape=(9, 8), spacing=(1.0, 1.0), unit="px")
    items = [Item(case=c, points=points, geometry=geometry) for c in ("b", "c")]
    write_points(tmp_path / "all.coco.json", items)

    found = read_points(tmp_path / "all.coco.json")

    assert list(found) == ["b", "c"]
    assert found["c"].names == ("tip", "root")  # unknown is what is not there
    np.testing.assert_array_equal(found["c"].coordinates, points.coordinates[:2])
    assert found["c"].status.tolist() == [PRESENT, ABSENT]
    assert found["c"].details["score"].tolist() == [0.9, 0.1]
    image = json.loads((tmp_path / "all.coco.json").read_text())["images"][0]
    assert image == {"id": 1, "file_name": "b", "height": 9, "width": 8}


def test_a_volume_cannot_be_written(tmp_path):
    points = Points.of({"tip": (1, 2, 3)}, dim=3)

    with pytest.raises(FormatError, match="two axes"):
        write_points(tmp_path / "a.coco.json", [Item(case="a", points=points)])


def test_two_annotations_of_one_picture_are_an_error(tmp_path):
    raw = content([1, 2, 2, 3, 4, 2])
    raw["annotations"].append(raw["annotations"][0])

    with pytest.raises(FormatError, match="several annotations"):
        read(tmp_path, raw)


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(FormatError, match="3 numbers for 2 keypoints"):
        read(tmp_path, content([1, 2, 2]))
    raw = content([1, 2, 2, 3, 4, 2])
    del raw["images"]
    with pytest.raises(FormatError, match="'images'"):
        read(tmp_path, raw)


def pictures(*images, of=7):
    raw = content([10, 20, 2, 3, 4, 2])
    raw["images"] = [{"id": i, "file_name": name} for i, name in images]
    raw["annotations"][0]["image_id"] = of
    raw["annotations"][1]["image_id"] = of
    return raw


@pytest.mark.parametrize("key, of", [(7, "7"), ("7", 7)])
def test_ids_are_the_same_as_text_and_as_number(tmp_path, key, of):
    found = read(tmp_path, pictures((key, "one.png"), of=of))

    assert found["one"].coordinates.tolist() == [[20, 10], [4, 3]]


def test_two_entries_of_one_picture_are_one(tmp_path):
    found = read(tmp_path, pictures((7, "one.png"), (107, "one.png"), of=107))

    assert list(found) == ["one"]


@pytest.mark.parametrize(
    "images, words",
    [
        ([(7, "one.png"), (8, "one.jpg")], "one.png, one.jpg .ids 7, 8."),
        ([(7, "one.png"), ("7", "two.png")], "id 7 is of several pictures"),
        ([(9, "one.png")], "1 annotation is of no picture: 1 with the image_id 7"),
    ],
)
def test_entries_that_do_not_meet_are_named(tmp_path, images, words):
    with pytest.raises(FormatError, match=words):
        read(tmp_path, pictures(*images))


@pytest.mark.parametrize(
    "height, width, word", [(80, 64, "EXIF"), (64, 81, "64 rows and 81 columns")]
)
def test_the_size_in_the_file_is_that_of_the_picture(tmp_path, height, width, word):
    raw = content([10, 20, 2, 3, 4, 2])
    raw["images"][0] |= {"height": height, "width": width}
    (tmp_path / "all.json").write_text(json.dumps(raw))
    picture = Geometry(shape=(64, 80), spacing=(1.0, 1.0), unit="px")

    with pytest.raises(FormatError, match=word):
        read_points(tmp_path / "all.json", geometry_of=lambda case: picture)


def test_a_file_that_says_no_size_is_taken_as_it_is(tmp_path):
    raw = content([10, 20, 2, 3, 4, 2])
    raw["images"][0] |= {"height": 0, "width": 0}
    (tmp_path / "all.json").write_text(json.dumps(raw))
    picture = Geometry(shape=(64, 80), spacing=(1.0, 1.0), unit="px")

    found = read_points(tmp_path / "all.json", geometry_of=lambda case: picture)

    assert found["one"].coordinates.tolist() == [[20, 10], [4, 3]]


@pytest.mark.parametrize("first, second", [(7.0, 7), ("7.0", 7), (7, "7"), (" 7", 7.0)])
def test_ids_are_numbers_however_a_table_wrote_them(tmp_path, first, second):
    raw = content([10, 20, 2, 3, 4, 2])
    raw["images"][0]["id"] = first
    raw["annotations"][0]["image_id"] = second
    (tmp_path / "all.json").write_text(json.dumps(raw))

    found = read_points(tmp_path / "all.json", geometry_of=lambda case: None)

    assert found["one"].coordinates.tolist() == [[20, 10], [4, 3]]
