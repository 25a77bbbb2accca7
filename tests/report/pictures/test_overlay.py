import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.figures.figure import PALETTE
from autoseg.report.pictures.case import CaseView
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.report.pictures.label_layer import LabelLayer
from autoseg.report.pictures.layers import class_colors
from autoseg.report.pictures.overlay import OverlayCase, plot_overlay
from autoseg.report.pictures.point_layer import PointLayer
from tests import toy

CLASSES = {"one": (1,), "two": (2,)}


def _case(
    number=0,
    shape=toy.SHAPE,
    spacing=toy.SPACING,
    classes=CLASSES,
    name=None,
    image=None,
    scores=None,
    **changes,
):
    labels = toy.labels_of(number, shape)
    layer = LabelLayer(
        members=classes,
        colors=class_colors(classes),
        **{"prediction": labels, "reference": labels} | changes,
    )
    if image is None:
        image = toy.image_of(labels, number)
    return OverlayCase(
        name=name or f"case_{number}",
        view=CaseView(image=image, spacing=spacing, layer=layer),
        scores={"one": "0.912", "two": "not there"} if scores is None else scores,
    )


def _pixels(path):
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def _near(pixels, color, within=60):
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(pixels - wanted).sum(axis=-1) < within


def test_rows_are_as_many_as_cases(tmp_path):
    plot_overlay([_case(0)], tmp_path / "1.png", title="one")
    plot_overlay([_case(0), _case(1)], tmp_path / "2.png", title="two")

    low, high = _pixels(tmp_path / "1.png"), _pixels(tmp_path / "2.png")
    assert high.shape[0] > low.shape[0] + 100
    assert high.shape[1] == low.shape[1]


def test_each_class_has_its_color(tmp_path):
    nothing = np.zeros(toy.SHAPE, dtype=np.uint8)
    shown, bare = tmp_path / "shown.png", tmp_path / "bare.png"

    plot_overlay([_case()], shown)
    plot_overlay([_case(prediction=nothing, reference=nothing)], bare)

    for color in PALETTE[:2]:  # the legend is in both pictures
        colored = [_near(_pixels(path), color).sum() for path in (shown, bare)]
        assert colored[0] > colored[1] + 200


def test_a_wrong_prediction_looks_different_from_a_right_one(tmp_path):
    wrong = np.roll(toy.labels_of(0), 3, axis=2)

    plot_overlay([_case()], tmp_path / "right.png")
    plot_overlay([_case(prediction=wrong)], tmp_path / "wrong.png")

    right, other = _pixels(tmp_path / "right.png"), _pixels(tmp_path / "wrong.png")
    assert right.shape == other.shape
    assert (np.abs(right - other).sum(axis=-1) > 60).sum() > 1000


@pytest.mark.parametrize(
    "case",
    [
        _case(reference=None),
        _case(prediction=np.zeros(toy.SHAPE, int)),
        _case(prediction=np.zeros(toy.SHAPE, int), reference=None),
        _case(image=np.zeros(toy.SHAPE, np.float32)),
        _case(image=np.stack([toy.image_of(toy.labels_of(0), 0)] * 2)),
        _case(shape=(20, 30), spacing=(1.0, 1.0)),
        _case(shape=(20, 30), spacing=(1.0, 1.0), image=np.ones((3, 20, 30))),
        _case(shape=(3, 60, 10), spacing=(10.0, 0.5, 0.5)),
        _case(prediction=np.ones(toy.SHAPE, int), reference=np.ones(toy.SHAPE, int)),
        _case(scores={}),
        _case(name="a very long name of a case that nobody will ever read"),
    ],
    ids=str,
)
def test_unusual_cases_are_drawn_all_the_same(case, tmp_path):
    plot_overlay([case], tmp_path / "overlay.png", planes=("a", "b", "c"))

    assert _pixels(tmp_path / "overlay.png").shape[1] > 1000


def test_many_classes_and_regions_are_drawn(tmp_path):
    classes = {f"class {i}": (i,) for i in range(1, 10)} | {"both": (1, 2)}

    plot_overlay([_case(classes=classes)], tmp_path / "overlay.png")

    assert (tmp_path / "overlay.png").is_file()


def test_the_same_cases_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        plot_overlay([_case()], tmp_path / name, title="same")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_case_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no case"):
        plot_overlay([], tmp_path / "overlay.png")


def test_arrays_on_different_grids_are_refused(tmp_path):
    case = _case(image=np.zeros((1, 3, 4, 5), np.float32))

    with pytest.raises(UsageError, match="one grid"):
        plot_overlay([case], tmp_path / "overlay.png")


def test_objects_are_drawn_each_in_a_color_of_its_own(tmp_path):
    ids = np.zeros((40, 60), np.int32)
    ids[5:20, 5:20], ids[5:20, 20:35] = 1, 2  # which touch
    image = np.zeros(ids.shape, np.float32)
    for name, shown in (("two", ids), ("one", (ids > 0) * 1)):
        layer = InstanceLayer(prediction=shown, reference=ids)
        view = CaseView(image=image, spacing=(1.0, 1.0), layer=layer, unit="px")
        row = OverlayCase(name="a", view=view)
        plot_overlay([row], tmp_path / f"{name}.png")

    two, one = _pixels(tmp_path / "two.png"), _pixels(tmp_path / "one.png")
    # Object 2 has another color than in the picture where both are one.
    assert (np.abs(two - one).sum(axis=-1) > 60).sum() > 1000


def _point_picture(path, through):
    """Draw a bright block in the first slices, and a point far from it."""
    image = np.random.default_rng(0).uniform(0, 0.2, (1, 20, 20, 20))
    image[0, :2, 4:8, 4:8] = 1.0
    layer = PointLayer(
        shape=image.shape[1:],
        spacing=(1.0, 1.0, 1.0),
        prediction={"tip": np.array([15.0, 9.0, 12.0])},
        reference={"tip": np.array([15.0, 9.0, 9.0])},
        colors={"tip": PALETTE[0]},
    )
    view = CaseView(image=image, spacing=(1.0, 1.0, 1.0), layer=layer)
    plot_overlay([OverlayCase(name="a", view=view)], path, through=through)
    return _pixels(path)


def test_through_its_depth_a_volume_shows_what_is_not_in_the_slice(tmp_path):
    slices = _point_picture(tmp_path / "slices.png", False)
    whole = _point_picture(tmp_path / "whole.png", True)

    below = slice(150, None)  # the legend is above
    white = [_near(picture[below], "#FFFFFF").sum() for picture in (slices, whole)]
    assert white[1] > white[0] + 100
