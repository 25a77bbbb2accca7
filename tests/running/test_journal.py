"""A run that was stopped goes on with what it decided, and with its time."""

import time

import pytest

from autoseg.errors import UsageError
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


def test_what_is_decided_is_not_quietly_kept_where_something_else_is_asked_for(
    tmp_path,
):
    journal = Journal(tmp_path / "run.json")
    journal.begin(100.0)
    assert journal.refuse_others(50.0, "3d_fullres", 3) is None  # nothing is trained
    journal.decide("2d", {"0": 50.0})
    assert journal.refuse_others(None, None, None) is None
    assert journal.refuse_others(100.0, "2d", 1) is None

    with pytest.raises(UsageError, match="Leave --configuration and --folds out"):
        journal.refuse_others(None, "3d_fullres", 2)
