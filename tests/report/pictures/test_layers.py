import io

import numpy as np
import pytest

from autoseg.figures.figure import figure_bytes, new_figure
from autoseg.report.pictures.case import CaseView, draw_case
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.report.pictures.label_layer import LabelLayer
from autoseg.report.pictures.layers import panel
from autoseg.report.pictures.planes import planes_of
from autoseg.report.pictures.point_layer import PointLayer

SHAPE = (40, 60)


def painted(layer, shape=SHAPE):
    """Return what a layer paints on black, one pixel for each pixel: (*S, 3)."""
    from PIL import Image

    (plane,) = planes_of(np.ones(shape, np.uint8), (1.0, 1.0))
    figure = new_figure(shape[1] / 100, shape[0] / 100, dpi=100, facecolor="black")
    axes = panel(figure, (0, 0, shape[1] / 100, shape[0] / 100))
    axes.set_xlim(0, plane.width)
    axes.set_ylim(plane.height, 0)
    layer.draw(axes, plane)
    with Image.open(io.BytesIO(figure_bytes(figure))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_objects_that_touch_have_other_colors():
    ids = np.zeros(SHAPE, np.int32)
    ids[10:30, 10:30], ids[10:30, 30:50] = 1, 2

    colors = painted(InstanceLayer(prediction=ids, reference=None))

    left, right = colors[20, 18], colors[20, 42]
    assert abs(left - right).max() > 40
    assert colors[2, 2].max() == 0
    # Where two objects meet each has an edge, which is not seen through.
    assert colors[20, 29].sum() > left.sum()


def test_annotated_objects_are_white_lines():
    ids = np.zeros(SHAPE, np.int32)
    ids[10:30, 10:30] = 7
    nothing = np.zeros_like(ids)

    colors = painted(InstanceLayer(prediction=nothing, reference=ids))

    assert colors[20, 10].min() > 200 and colors[20, 29].min() > 200
    assert colors[20, 20].max() == 0


@pytest.mark.parametrize("flipped", [False, True])
def test_points_are_where_they_were_drawn(flipped):
    volume = np.zeros((10, 12, 14), np.uint8)
    volume[2:9, 3:11, 4:13] = 1
    plane = planes_of(volume, (2.0, 1.0, 0.5))[1 if flipped else 0]
    layer = PointLayer(
        shape=volume.shape, spacing=(2.0, 1.0, 0.5), prediction={}, reference={},
        colors={},
    )  # fmt: skip

    marked = np.zeros_like(volume)
    point = (4, 6, 8)
    marked[point] = 1
    x, y = layer._at(plane, np.array(point, dtype=float))

    # The pixel that a plane shows the voxel in is around the point.
    if not marked[plane.index].any():
        marked[:] = 0
        index = [p if isinstance(p, int) else point[a]
                 for a, p in enumerate(plane.index)]  # fmt: skip
        marked[tuple(index)] = 1
    ((row, column),) = np.argwhere(plane.cut(marked))
    assert y == pytest.approx((row + 0.5) * plane.spacing[0])
    assert x == pytest.approx((column + 0.5) * plane.spacing[1])


def test_the_error_of_a_point_is_a_circle_from_the_true_to_the_found_place():
    layer = PointLayer(
        shape=SHAPE,
        spacing=(1.0, 1.0),
        prediction={"tip": np.array([20.0, 40.0])},
        reference={"tip": np.array([20.0, 25.0])},
        colors={"tip": "#ffffff"},
    )

    colors = painted(layer)

    # Radius 15 around (20.5, 25.5): the disk is pale, beyond it nothing is painted.
    assert colors[20, 12].max() > 20 and colors[32, 25].max() > 20
    assert colors[20, 5].max() == 0 and colors[38, 25].max() == 0


def test_planes_go_through_the_points():
    place = np.array([3.2, 4.8, 5.0])
    layer = PointLayer(
        shape=(9, 9, 9), spacing=(1, 1, 1), prediction={}, reference={"a": place},
        colors={},
    )  # fmt: skip

    assert np.argwhere(layer.focus()).tolist() == [[3, 5, 5]]


@pytest.mark.parametrize("shape", [(6, 30, 40), (30, 40)])
def test_a_case_is_drawn_in_one_plane_or_in_three(shape):
    from PIL import Image

    labels = np.zeros(shape, np.uint8)
    labels[..., 10:20, 10:30] = 1
    layer = LabelLayer(
        prediction=labels, reference=None, members={"a": (1,)}, colors={"a": "#ff0000"}
    )
    view = CaseView(
        image=np.random.default_rng(0).normal(size=(1, *shape)),
        spacing=(3.0, 1.0, 1.0)[-len(shape) :],
        layer=layer,
    )

    with Image.open(io.BytesIO(draw_case(view))) as picture:
        colors = np.asarray(picture.convert("RGB")).astype(int)
    red = (colors[..., 0] - colors[..., 1]) > 60
    columns = np.flatnonzero(red.any(axis=0))
    gaps = int((np.diff(columns) > 5).sum())
    assert gaps == (0 if len(shape) == 2 else 2)


def test_an_object_that_is_right_has_the_color_of_the_truth():
    # Predicted 5 is annotated 1; 9 overlaps with annotated 2 too little, so it gets
    # an id of nobody: one more than the largest, 2, and its place, 1, counted from 0.
    truth = np.array([[1, 1, 1, 0, 2, 2, 2, 2]])
    found = np.array([[5, 5, 5, 0, 0, 0, 0, 9]])

    sides = InstanceLayer(prediction=found, reference=truth).side_by_side()

    assert list(sides) == ["truth", "prediction"]
    np.testing.assert_array_equal(sides["truth"].prediction, truth)
    np.testing.assert_array_equal(
        sides["prediction"].prediction, [[1, 1, 1, 0, 0, 0, 0, 4]]
    )
