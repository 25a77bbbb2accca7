"""LabelMe: polygons, rectangles, circles, masks and groups."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from autoseg.errors import FormatError
from autoseg.instancefiles.readers.base import read_objects
from autoseg.spec.image import Geometry
from tests.instancefiles.readers.outlines import blob, inside

SHAPE = (40, 50)
PICTURE = Geometry(shape=SHAPE, spacing=(1.0, 1.0), unit="px")
LABELS = {1: "cell", 2: "debris"}


def shape(points, kind="polygon", label="cell", group=None, **more):
    points = [list(point) for point in points]
    found = {"label": label, "points": points, "group_id": group}
    return found | {"shape_type": kind, "flags": {}} | more


def write(folder, *shapes, height=SHAPE[0], width=SHAPE[1]):
    raw = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": "c0.png"}
    raw |= {"imageData": None, "imageHeight": height, "imageWidth": width}
    (folder / "c0.json").write_text(json.dumps(raw))
    return folder / "c0.json"


def read(path):
    return read_objects(path, "c0", LABELS, PICTURE)


def test_polygons_have_the_class_of_their_label(tmp_path):
    one, two = blob((12, 12), 9), blob((36, 28), 8)
    found = read(write(tmp_path, shape(one), shape(two, label="debris")))

    assert np.array_equal(found.labels == 1, inside(one, SHAPE))
    assert np.array_equal(found.labels == 2, inside(two, SHAPE))
    assert found.classes == {1: 1, 2: 2}


def test_shapes_of_one_group_are_one_object(tmp_path):
    one, two = blob((12, 12), 9), blob((36, 28), 8)
    shapes = shape(one, group=4), shape(two, group=4), shape(one, label="debris")

    labels = read(write(tmp_path, *shapes)).labels

    assert np.array_equal(
        labels == 1, inside(two, SHAPE)
    )  # the third is over the first
    assert np.array_equal(labels == 2, inside(one, SHAPE))


def test_rectangles_circles_and_masks(tmp_path):
    mask = np.zeros((4, 5), np.uint8)
    mask[1, 1:4] = 255
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    shapes = (
        shape([(9, 7), (3, 4)], "rectangle"),
        shape([(30.5, 20.5), (34.5, 20.5)], "circle"),
        shape([(40, 30), (44, 33)], "mask", mask=text),
    )

    labels = read(write(tmp_path, *shapes)).labels

    wanted = np.zeros(SHAPE, int)
    wanted[4:7, 3:9] = 1
    rows, columns = np.indices(SHAPE)
    wanted[(rows - 20) ** 2 + (columns - 30) ** 2 <= 16] = 2
    wanted[31, 41:44] = 3
    assert np.array_equal(labels, wanted)


@pytest.mark.parametrize("kind", ["point", "line", "linestrip"])
def test_what_has_no_area_is_named(tmp_path, kind):
    with pytest.raises(FormatError, match=rf"shape 1 \(cell\): a {kind} has no area"):
        read(write(tmp_path, shape(blob((9, 9), 5), kind)))


def test_another_size_is_refused(tmp_path):
    with pytest.raises(FormatError, match="c0.png has 50 rows and 40 columns"):
        read(write(tmp_path, shape(blob((9, 9), 5)), height=50, width=40))
