"""Slices that a page scrolls through: every one is there, and in its place."""

import base64
import io

import numpy as np
from PIL import Image

from autoseg.report.pictures.case import CaseView
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.report.pictures.label_layer import LabelLayer
from autoseg.report.pictures.layers import edge_of
from autoseg.report.pictures.point_layer import PointLayer
from autoseg.report.pictures.slices import MOST_SLICES, sheets_of

SHAPE, SPACING = (6, 20, 10), (4.0, 1.0, 1.0)


def _opened(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def _tile(sheet, name, number):
    row, column = divmod(number, sheet.columns)
    picture = _opened(getattr(sheet, name))
    return picture[
        row * sheet.height : (row + 1) * sheet.height,
        column * sheet.width : (column + 1) * sheet.width,
    ]


def _view(layer, unit="mm"):
    # Each slice along the first axis has a brightness of its own.
    image = np.broadcast_to(np.arange(6.0)[:, None, None], SHAPE)[None]
    return CaseView(image=image, spacing=SPACING, layer=layer, unit=unit)


def _labels(**marked):
    labels = np.ones(SHAPE, np.uint8)  # everywhere, so that nothing is cropped
    labels[4] = 2
    return LabelLayer(
        prediction=labels, reference=None, members={"a": (1,), "b": (2,)},
        colors={"a": "#FF0000", "b": "#0000FF"},
    )  # fmt: skip


def test_each_axis_has_a_sheet_with_all_its_slices_in_order():
    sheets = sheets_of(_view(_labels()))

    assert [sheet.name for sheet in sheets] == ["axial", "coronal", "sagittal"]
    assert [len(sheet.places) for sheet in sheets] == list(SHAPE)
    first = sheets[0]
    gray = [_tile(first, "image", n).mean() for n in range(6)]
    assert gray[0] <= gray[1] and np.all(np.diff(gray[1:]) > 20)
    for number in range(6):
        color = _tile(first, "painted", number)[5, 5]
        wanted = (0, 0, 255) if number == 4 else (255, 0, 0)
        assert tuple(color[:3]) == wanted and 0 < color[3] < 255


def test_pixels_have_the_shape_that_voxels_have():
    axial, coronal, _ = sheets_of(_view(_labels()))

    assert axial.height / axial.width == 20 / 10
    assert coronal.height / coronal.width == 24 / 10  # 6 slices of 4 over 10


def test_of_many_slices_some_are_taken_and_the_one_that_is_shown_first():
    labels = np.zeros((300, 4, 4), np.uint8)
    labels[::2] = 1
    layer = LabelLayer(
        prediction=labels, reference=None, members={"a": (1,)}, colors={"a": "#FF0000"}
    )
    view = CaseView(
        image=np.random.default_rng(0).normal(size=(1, 300, 4, 4)),
        spacing=(1.0, 1.0, 1.0), layer=layer, unit="um",
    )  # fmt: skip

    sheet = sheets_of(view)[0]

    assert len(sheet.places) <= MOST_SLICES + 1
    assert sheet.name == "first axis"
    assert labels[sheet.places[sheet.start]].any()


def test_a_flat_image_has_none():
    layer = InstanceLayer(prediction=np.ones((4, 5), int), reference=None)

    assert (
        sheets_of(CaseView(image=np.ones((1, 4, 5)), spacing=(1, 1), layer=layer)) == []
    )


def test_objects_and_points_are_painted_where_they_are():
    ids = np.zeros(SHAPE, int)
    ids[:, 5:10, 3:6] = 1
    objects = InstanceLayer(prediction=ids, reference=ids)
    points = PointLayer(
        shape=SHAPE, spacing=SPACING, prediction={"p": np.array([2.0, 15.0, 7.0])},
        reference={"p": np.array([2.0, 3.0, 2.0])}, colors={"p": "#00FF00"},
    )  # fmt: skip

    def cut(array):
        return array[2]

    shown, marked = objects.painted(cut), points.painted(cut)

    assert np.array_equal(shown[..., 3] > 0, ids[2] > 0)
    assert tuple(shown[5, 3]) == (255, 255, 255, 255)  # the truth's line
    assert np.argwhere(marked[..., 3] > 0).min(0).tolist() == [2, 1]
    assert tuple(marked[15, 7, :3]) == (0, 255, 0) and 0 < marked[15, 7, 3] < 255
    assert marked[2, 1, 3] == 255 and marked[3, 2, 3] == 0  # an edge, and its middle


def test_an_edge_is_what_touches_something_else_and_the_frame_is_none():
    mask = np.zeros((5, 6), bool)
    mask[:, 2:] = True
    mask[2, 4] = False

    edge = edge_of(mask)

    wanted = np.zeros_like(mask)
    wanted[:, 2] = True
    wanted[[1, 3, 2, 2], [4, 4, 3, 5]] = True
    assert np.array_equal(edge, wanted)
