"""A time budget counts what goes before the first iteration and after the last."""

import dataclasses
from types import SimpleNamespace

import pytest

from autoseg.train import length, stage
from autoseg.train.assemble import seconds_to_train
from autoseg.train.loop import trainer as loop
from autoseg.train.loop.early import EarlyEnd
from autoseg.train.loop.schedule import Clock
from autoseg.train.record import describe, first_run
from autoseg.train.setup.hardware import choose_hardware
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options

ASKED = Options(device="cpu", time_budget=100.0)


@pytest.fixture
def job(prepared):
    where = prepared.dataset, "3d_fullres", 0, prepared.root
    return find_job(*where, "unet", ASKED)


@pytest.fixture
def run(job):
    hardware = choose_hardware("cpu", compile="off", threads=1)
    return first_run(job, ASKED, hardware)


@pytest.mark.parametrize(
    "prepared_for, reserved, left",
    [(0.0, 0.0, 100.0), (20.0, 30.0, 50.0), (95, 30, 10)],
)
def test_what_is_left_is_trained_and_a_tenth_in_any_case(
    run, prepared_for, reserved, left
):
    run = dataclasses.replace(run, prepared=prepared_for, reserved=reserved)
    assert seconds_to_train(run) == left


class _Training:
    """As much of a trainer as a rehearsal touches."""

    rehearse_once = loop.Trainer._rehearse

    def __init__(self, progress, seconds):
        self.clock = Clock(None, 100.0)
        self.clock.progress = progress
        self.clock.used = 40.0
        self.asked = 0
        self.network = self
        self.rehearse = self._count
        self.early = EarlyEnd(0.0)
        self._seconds = seconds

    def _count(self):
        self.asked += 1
        return self._seconds

    def train(self):
        """Stand in for the network's."""


@pytest.mark.parametrize(
    "progress, seconds, asked, left",
    [
        (0.5, 70.0, 0, 100.0),  # too early
        (0.6, 70.0, 1, 70.0),  # validation takes more than was thought
        (0.9, 120.0, 1, 120.0),  # less
        (0.9, None, 1, 100.0),  # it did not work
    ],
)
def test_validation_is_rehearsed_once_late_in_a_training(
    progress, seconds, asked, left
):
    training = _Training(progress, seconds)
    training.rehearse_once()
    training.rehearse_once()
    assert (training.asked, training.clock.seconds) == (asked, left)


def test_what_is_used_already_is_never_taken_back():
    training = _Training(0.9, 5.0)
    training.rehearse_once()
    assert 40.0 <= training.clock.seconds < 41.0
    training.clock.tick(0.1)
    assert training.clock.finished


@pytest.mark.parametrize(
    "validation, to_predict, kept, told",
    [
        (True, 0, 30, ""),
        (True, 4, 30 + 40, ""),
        (False, 4, 40, ""),
        (True, 9, 100, "the 1 validation cases and 9 new images will take about 120 s"),
        (False, 30, 100, "Predicting 30 new images will take about 300 s"),
    ],
)
def test_time_is_kept_for_new_images_and_never_more_than_half(
    monkeypatch, caplog, run, validation, to_predict, kept, told
):
    monkeypatch.setattr(length, "seconds_of_a_step", lambda *_: 1.0)
    monkeypatch.setattr(length, "validation_seconds", lambda *_: 30.0)
    monkeypatch.setattr(length, "images_seconds", lambda job, window, n: 10.0 * n)
    monkeypatch.setattr(
        length, "resolve_recipe", lambda *_: (SimpleNamespace(), "so", None)
    )
    run = dataclasses.replace(run, time_budget=200.0)
    asked = Options(time_budget=200.0, validation=validation, to_predict=to_predict)
    job = SimpleNamespace(validation=["a"], plan=None, configuration="2d")

    found = length.within_time(job, run, asked, None)

    assert found.reserved == kept
    assert told in caplog.text and bool(told) == ("half" in caplog.text)


def test_what_a_rehearsal_says_of_new_images_is_not_trained(monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "rehearse", lambda job, device, images: 7.0 * images)
    begun = SimpleNamespace(
        job=SimpleNamespace(folder=tmp_path),
        run=SimpleNamespace(time_budget=100.0, prepared=10.0),
        hardware=SimpleNamespace(device="cpu"),
    )

    left = stage._rehearsal(begun, 3, lambda name: None, lambda: None)()

    assert left == pytest.approx(100 - 10 - 3 * 7, abs=1)


def test_what_is_trained_is_told_in_lines_of_a_terminal(job, run):
    why = "about 76 iterations fit the time budget so, and the planned ones would " * 3
    found = describe(
        job, dataclasses.replace(run, fitted={"batch_size": 1}, fitted_because=why)
    )

    lines = found.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(not line.startswith("    ") for line in lines) == 5
    assert why.strip() in " ".join(line.strip() for line in lines)
    assert "1 thread, " in lines[-1]
