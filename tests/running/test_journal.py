"""A run that was stopped goes on with what it decided, and with its time."""

import time

from autoseg.running.journal import Journal


def test_time_of_all_starts_counts(tmp_path):
    path = tmp_path / "run.json"
    first = Journal(path)
    first.begin(100.0, time.monotonic() - 30)
    first.decide("2d", {"0": 50.0})
    second = Journal(path)
    assert second.decided.configuration == "2d"
    assert second.decided.folds == {"0": 50.0}
    assert 30 <= second.spent < 60
    assert 40 < second.left <= 70


def test_another_run_begins_anew(tmp_path):
    path = tmp_path / "run.json"
    Journal(path).begin(100.0, time.monotonic() - 30)
    again = Journal(path, again=True)
    assert again.decided is None
    again.begin(50.0)
    assert again.left > 40
