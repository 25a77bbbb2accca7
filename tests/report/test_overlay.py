import math

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.report._figure import PALETTE
from autoseg.report.overlay import OverlayCase, plot_overlay
from tests import toy

CLASSES = {"one": 1, "two": 2}


def _case(number=0, shape=toy.SHAPE, spacing=toy.SPACING, **changes):
    labels = toy.labels_of(number, shape)
    entries = {
        "name": f"case_{number}",
        "image": toy.image_of(labels, number),
        "prediction": labels,
        "reference": labels,
        "spacing": spacing,
        "scores": {"one": 0.91234, "two": math.nan},
    }
    return OverlayCase(**entries | changes)


def _pixels(path):
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def _near(pixels, color, within=60):
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(pixels - wanted).sum(axis=-1) < within


def test_rows_are_as_many_as_cases(tmp_path):
    plot_overlay([_case(0)], CLASSES, tmp_path / "1.png", title="one")
    plot_overlay([_case(0), _case(1)], CLASSES, tmp_path / "2.png", title="two")

    low, high = _pixels(tmp_path / "1.png"), _pixels(tmp_path / "2.png")
    assert high.shape[0] > low.shape[0] + 100
    assert high.shape[1] == low.shape[1]


def test_each_class_has_its_color(tmp_path):
    nothing = np.zeros(toy.SHAPE, dtype=np.uint8)
    shown, bare = tmp_path / "shown.png", tmp_path / "bare.png"

    plot_overlay([_case()], CLASSES, shown)
    plot_overlay([_case(prediction=nothing, reference=nothing)], CLASSES, bare)

    for color in PALETTE[:2]:  # the legend is in both pictures
        colored = [_near(_pixels(path), color).sum() for path in (shown, bare)]
        assert colored[0] > colored[1] + 200


def test_a_wrong_prediction_looks_different_from_a_right_one(tmp_path):
    wrong = np.roll(toy.labels_of(0), 3, axis=2)

    plot_overlay([_case()], CLASSES, tmp_path / "right.png")
    plot_overlay([_case(prediction=wrong)], CLASSES, tmp_path / "wrong.png")

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
    plot_overlay([case], CLASSES, tmp_path / "overlay.png", planes=("a", "b", "c"))

    assert _pixels(tmp_path / "overlay.png").shape[1] > 1000


def test_many_classes_and_regions_are_drawn(tmp_path):
    classes = {f"class {i}": i for i in range(1, 10)} | {"both": [1, 2]}

    plot_overlay([_case()], classes, tmp_path / "overlay.png")

    assert (tmp_path / "overlay.png").is_file()


def test_the_same_cases_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        plot_overlay([_case()], CLASSES, tmp_path / name, title="same")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_no_case_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no case"):
        plot_overlay([], CLASSES, tmp_path / "overlay.png")


def test_arrays_on_different_grids_are_refused(tmp_path):
    case = _case(prediction=np.zeros((3, 4, 5), int))

    with pytest.raises(UsageError, match="one grid"):
        plot_overlay([case], CLASSES, tmp_path / "overlay.png")
