"""How much of a time budget is kept for what follows the training."""

from types import SimpleNamespace

import pytest

from autoseg.tasks import TASKS
from autoseg.train.after import rehearsal
from autoseg.train.after.duration import images_seconds, validation_seconds


def _job(shape, patch):
    task = TASKS["instance"](labels={"cell": 1}).for_axes(len(patch))
    settings = SimpleNamespace(
        patch_size=patch, mirror_axes=(), previous=None, dim=len(patch)
    )
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


@pytest.mark.parametrize(
    ("name", "edges", "axes", "times"),
    [
        ("instance", (8, 48, 64), (0, 1, 2), 2),  # the opposite copy, too
        ("instance", (8, 48, 64), (), 1),
        ("instance", (48, 64), (0, 1), 1),
        ("semantic", (8, 48, 64), (0, 1, 2), 8),
        ("semantic", (48, 64), (0,), 2),
    ],
)
def test_mirrored_copies_count(name, edges, axes, times):
    job = _job(edges, edges)
    job.task = TASKS[name](labels={"background": 0, "cell": 1})
    job.settings.mirror_axes = axes
    seconds = [validation_seconds(job, window) for window in (0.0, 1.0)]
    assert seconds[1] - seconds[0] == pytest.approx(times)


def test_new_images_are_taken_to_be_like_those_held_back():
    job = _job((48, 64), (64, 64))
    job.validation = ("a", "b")
    # A window of three seconds in each, and half a second to read and write it.
    assert images_seconds(job, 3.0, 5) == pytest.approx(5 * 3.5)
    job.validation = ()
    assert images_seconds(job, 3.0, 5) == 0


@pytest.mark.parametrize("to_predict", [0, 5])
@pytest.mark.parametrize("taken", [[(6.0, 3.0)], [(3.0, 1.5), (0.6, 0.3)]])
def test_one_rehearsed_case_tells_of_all_by_their_voxels(
    monkeypatch, to_predict, taken
):
    sizes = {"small": (10, 10), "large": (10, 30)}
    job = _job((0,), (64, 64))
    job.validation = tuple(sizes)
    job.store.open = lambda case: SimpleNamespace(shape=sizes[case])
    seen = []
    monkeypatch.setattr(
        rehearsal, "_seconds", lambda *given: seen.append(given) or taken[len(seen) - 1]
    )

    seconds = rehearsal.rehearse(job, "cpu", to_predict)

    # 9 s for 300 voxels: 12 s for the 400 of both. To predict alone 6 s for 300, so 4 s
    # for an image like them. Of a quick first one much is loading, which comes once:
    # the second counts, a tenth of that, and 4.5 - 0.9 s once.
    once, per = (0, 1) if len(taken) == 1 else (3.6, 0.1)
    assert [case for _, _, case in seen] == ["large"] * len(taken)
    assert seconds == pytest.approx(1.1 * (once + per * (12 + 4 * to_predict)))
