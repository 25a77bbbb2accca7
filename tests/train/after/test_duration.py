"""How much of a time budget is kept for what follows the training."""

from types import SimpleNamespace

import pytest

from autoseg.tasks import TASKS
from autoseg.train.after.duration import validation_seconds


def _job(shape, patch):
    task = TASKS["instance"](labels={"cell": 1}).for_axes(len(patch))
    settings = SimpleNamespace(patch_size=patch, mirror_axes=(), previous=None)
    store = SimpleNamespace(open=lambda case: SimpleNamespace(shape=shape))
    return SimpleNamespace(
        settings=settings, store=store, task=task, validation=("a",), fold="0",
        is_fine=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("small", "large", "patch"),
    [((48, 64), (96, 64), (256, 256)), ((5, 48, 64), (10, 48, 64), (16, 64, 64))],
)
def test_tuning_takes_as_long_as_cases_have_voxels_on_all_axes(small, large, patch):
    # Of a window that takes no time, half a second to read and write is left beside.
    one, two = (validation_seconds(_job(s, patch), 0.0) - 0.5 for s in (small, large))
    assert two == pytest.approx(2 * one) and one > 0


def test_a_slice_is_a_window_of_its_own_where_patches_are_plane():
    job = _job((7, 48, 64), (64, 64))
    seconds = [validation_seconds(job, window) for window in (0.0, 1.0)]
    assert seconds[1] - seconds[0] == pytest.approx(7)
