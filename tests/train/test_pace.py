"""A training that would take days is not begun by mistake."""

import pytest

from autoseg.errors import UsageError
from autoseg.train import pace
from autoseg.train.pace import refuse_endless
from autoseg.train.record import first_run
from autoseg.train.setup.hardware import choose_hardware
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options


@pytest.fixture
def case(prepared):
    asked = Options(device="cpu")
    job = find_job(prepared.dataset, "3d_fullres", 0, prepared.root, "unet", asked)
    hardware = choose_hardware("cpu", compile="off", threads=1)
    return job, first_run(job, asked, hardware), hardware


def test_days_are_refused_with_three_commands_that_end(case, monkeypatch):
    job, run, hardware = case
    # 250,000 iterations of a second are 2.9 days.
    monkeypatch.setattr(pace, "seconds_of_a_step", lambda *_: 1.0)
    with pytest.raises(UsageError) as raised:
        refuse_endless(job, run, Options(), hardware)
    said = str(raised.value)
    assert "about 2.9 days" in said and "nothing was trained" in said
    assert said.count("autoseg train Toy 3d_fullres 0 --time-budget") == 3
    assert "--epochs 1000" in said


def test_hours_are_said_and_begun(case, monkeypatch, caplog):
    job, run, hardware = case
    monkeypatch.setattr(pace, "seconds_of_a_step", lambda *_: 0.1)
    with caplog.at_level("INFO", "autoseg"):
        refuse_endless(job, run, Options(), hardware)
    assert "about 6.9 h" in caplog.text


@pytest.mark.parametrize("length", [{"epochs": 1000}, {"iterations": 5}])
def test_a_length_that_was_given_is_not_timed(case, monkeypatch, length):
    timed = []
    job, run, hardware = case
    monkeypatch.setattr(pace, "seconds_of_a_step", lambda *_: timed.append(1) or 1.0)
    refuse_endless(job, run, Options(**length), hardware)
    assert timed == []


def test_the_smallest_network_is_timed(prepared, monkeypatch):
    timed = []

    def seconds(job, run, hardware):
        timed.append(job.settings.network.options["features"])
        return 0.25

    monkeypatch.setattr(pace, "seconds_of_a_step", seconds)
    found = pace.fastest_step(
        prepared.dataset, "3d_fullres", prepared.root, device="cpu"
    )
    assert found == (False, 0.25)
    assert timed == [[4, 8, 8]]  # thinner than the least it does not get
