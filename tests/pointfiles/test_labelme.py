import json

import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry

PICTURE = Geometry(shape=(40, 50), spacing=(1.0, 1.0), unit="px")


def read(tmp_path, *shapes, height=40):
    raw = {"version": "5.4.1", "shapes": shapes, "imagePath": "c0.png"}
    raw |= {"imageHeight": height, "imageWidth": 50, "imageData": None}
    (tmp_path / "c0.json").write_text(json.dumps(raw))
    return read_points(tmp_path / "c0.json", ["tip", "root"], lambda case: PICTURE)


def point(label, x, y):
    return {"label": label, "points": [[x, y]], "shape_type": "point"}


def test_points_have_the_name_of_their_label(tmp_path):
    outline = {"label": "cell", "points": [[0, 0], [1, 0], [1, 1]]}
    outline |= {"shape_type": "polygon"}

    found = read(tmp_path, point("root", 3, 4), outline, point("tip", 30.5, 5.25))

    assert found["c0"].names == ("root", "tip")
    assert found["c0"].coordinates.tolist() == [[4, 3], [5.25, 30.5]]


def test_no_shape_is_no_point(tmp_path):
    assert read(tmp_path)["c0"].names == ()


@pytest.mark.parametrize(
    "shapes, words",
    [
        ([point("tip", 1, 2), point("tip", 3, 4)], "the label 'tip'"),
        ([{"label": "a", "points": [], "shape_type": "polygon"}], "is a point"),
        ([{"label": "a", "points": [], "shape_type": "point"}], "'a' has no place"),
        ([{"label": "a", "points": [3.5], "shape_type": "point"}], "'a' has no place"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, shapes, words):
    with pytest.raises(FormatError, match=words):
        read(tmp_path, *shapes)


def test_the_size_is_that_of_the_picture(tmp_path):
    with pytest.raises(FormatError, match="41 rows and 50 columns"):
        read(tmp_path, point("tip", 1, 2), height=41)
