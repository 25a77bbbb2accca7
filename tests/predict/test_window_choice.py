"""Windows are widened where that is known to be safe, and only there."""

from dataclasses import replace

import pytest
import torch

from autoseg.errors import UsageError
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.single import SingleModel
from autoseg.predict.window_choice import WindowChoice
from autoseg.predict.windows import memory
from autoseg.tasks import TASKS
from tests.predict import toy_model as toy

# Four windows of 8 cover 21 with 32 voxels, two of 12 with 24.
SHAPE = (21, 21)
PLENTY = 1e12


def choice(task="instance", dim=2, **options):
    labels = {"background": 0, "cell": 1}
    learned = TASKS[task](labels=labels).for_axes(dim)
    chosen = Options(step_size=0.75, mirror=False, precision="fp32", **options)
    readout = READOUTS[learned.kind](toy.model(toy.plan(dim)), learned, chosen)
    return WindowChoice(readout, torch.device("cpu"))


def test_instances_in_pictures_are_seen_in_wider_windows():
    windows = choice().windows(SHAPE, PLENTY)

    assert windows.patch == (12, 12)
    assert windows.grid(SHAPE).count == 4


def test_one_window_may_reach_beyond_an_image_of_instances_which_is_mirrored_there():
    # Four windows of 8 cover 13 with 16 along each axis, one of 14 with 14; the
    # network's strides divide by 2.
    near = choice().windows((13, 13), PLENTY)

    assert (near.patch, near.reflected) == ((14, 14), True)
    assert choice().windows((5, 5), PLENTY).reflected  # smaller than a window


@pytest.mark.parametrize(
    "others", [{"task": "semantic"}, {"exact": True}, {"dim": 3}], ids=str
)
def test_others_see_zeros_beyond_an_image_as_in_training(others):
    shape = (5,) * others.get("dim", 2)
    assert not choice(**others).windows(shape, PLENTY).reflected


@pytest.mark.parametrize(
    "others",
    [
        {"task": "semantic"},  # its windows are nnU-Net's
        {"exact": True},
        {"backend": "openvino"},  # compiled for one shape
        {"dim": 3},
    ],
)
def test_others_keep_the_windows_of_training(others):
    dim = others.get("dim", 2)

    windows = choice(**others).windows((21,) * dim, PLENTY)

    assert windows.patch == (8,) * dim


def test_wider_windows_are_counted_in_the_memory_and_left_where_it_is_short():
    chooser = choice()
    wide = chooser.windows(SHAPE, PLENTY)
    narrow = replace(wide, patch=(8, 8))
    least = replace(wide, batch=1, dtype=torch.float16)

    left = chooser.working_bytes(least, SHAPE) - SHAPE[0] * SHAPE[1] - 1
    short = chooser.windows(SHAPE, left)

    # 8 maps of 4 features in float32 for each window that is predicted at once
    maps = 8 * 4 * 4 * wide.batch
    outputs = sum(head.channels for head in chooser.readout.task.heads)
    sums = memory.sums_bytes(wide, SHAPE, outputs, 1)
    sums -= memory.sums_bytes(narrow, SHAPE, outputs, 1)
    more = chooser.working_bytes(wide, SHAPE) - chooser.working_bytes(narrow, SHAPE)
    assert more == maps * (12**2 - 8**2) + sums
    assert short.patch == (8, 8)


def test_too_little_memory_for_any_windows_is_an_error():
    with pytest.raises(UsageError, match="Predicting an image of 21 x 21 voxels"):
        choice().windows(SHAPE, 1e6)


@pytest.mark.parametrize("others", [{"task": "semantic"}, {"dim": 3}], ids=str)
def test_auto_widens_windows_of_every_task(others):
    dim = others.get("dim", 2)

    windows = choice(window="auto", **others).windows((21,) * dim, PLENTY)

    assert windows.patch == (12,) * dim


def test_auto_goes_further_than_nobody_asking():
    # Eight windows of 8, three quarters apart, cover 48 with 64 voxels along an axis,
    # and two of 28 with 56; 12, the most without being asked, with 60: not worth it.
    assert choice(window="auto").windows((48, 48), PLENTY).patch == (28, 28)
    assert choice().windows((48, 48), PLENTY).patch == (8, 8)


def test_windows_that_are_asked_for_are_taken():
    assert choice("semantic", window=(16, 12)).windows(SHAPE, PLENTY).patch == (16, 12)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ((16, 13), "Near by is 16,12"),
        ((8, 8, 8), "has 3 edges"),
        ((1, 1), "Near by is"),
    ],
    ids=str,
)
def test_windows_that_cannot_be_are_refused_with_the_next(window, said):
    with pytest.raises(UsageError, match=said):
        choice("semantic", window=window).windows(SHAPE, PLENTY)
    with pytest.raises(UsageError, match=said):  # before any image is read
        SingleModel(toy.model(toy.plan(2)), Options(window=window, device="cpu"))


@pytest.mark.parametrize(
    ("window", "more"),
    [("autp", {}), ((0, 8), {}), ((8,), {}), ((8, 8), {"exact": True})],
    ids=str,
)
def test_what_is_no_window_is_refused_before_anything_is_read(window, more):
    with pytest.raises(UsageError, match="window"):
        Options(window=window, **more)
