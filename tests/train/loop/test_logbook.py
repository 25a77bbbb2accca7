"""The log has a line for each entry, also after a training that was killed."""

import errno
import json

from autoseg.train.loop import logbook
from autoseg.train.loop.logbook import Logbook, Meter
from autoseg.workspace import LOG


def test_going_on_drops_the_lines_after_the_checkpoint_and_half_written_ones(tmp_path):
    rows = [json.dumps({"iteration": n}) for n in (50, 100, 150)]
    (tmp_path / LOG).write_text("\n".join(rows) + '\n{"iteration": 2')

    book = Logbook(tmp_path, iteration=100)

    kept = [json.loads(row) for row in (tmp_path / LOG).read_text().splitlines()]
    assert kept == book.entries == [{"iteration": 50}, {"iteration": 100}]


def test_entries_are_on_disk_at_once(tmp_path):
    book = Logbook(tmp_path)

    book.add({"iteration": 50, "score": None})
    book.add({"iteration": 100, "score": 0.5})

    found = [json.loads(row) for row in (tmp_path / LOG).read_text().splitlines()]
    assert [entry["iteration"] for entry in found] == [50, 100]


def test_a_picture_is_drawn_of_losses_and_not_too_often(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(logbook, "plot_progress", lambda log, path: drawn.append(path))
    book = Logbook(tmp_path)

    book.add({"iteration": 1})
    book.add({"iteration": 2, "loss": 0.5})
    book.add({"iteration": 3, "loss": 0.4})

    assert drawn == [tmp_path / "progress.png"]


def test_the_last_picture_shows_all_and_is_not_drawn_twice(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(logbook, "plot_progress", lambda log, _: drawn.append([*log]))
    book = Logbook(tmp_path)
    for number in (1, 2):
        book.add({"iteration": number, "loss": 0.5})

    book.draw()
    book.draw()

    assert [len(log) for log in drawn] == [1, 2]


def test_a_picture_that_fails_costs_no_training(tmp_path, monkeypatch, caplog):

    def fails(log, path):
        raise ValueError("no font")

    monkeypatch.setattr(logbook, "plot_progress", fails)

    Logbook(tmp_path).add({"iteration": 2, "loss": 0.5})

    assert "progress.png was not drawn" in caplog.text
    assert "no font" in caplog.text


def test_a_full_disk_is_told_in_a_line(tmp_path, monkeypatch, caplog):
    def fails(log, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(logbook, "plot_progress", fails)

    Logbook(tmp_path).add({"iteration": 2, "loss": 0.5})

    assert "not drawn: [Errno 28] No space left on device" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_meter_says_where_the_time_went():
    meter = Meter()
    meter.add(seconds=0.4, waiting=0.1, reading=0.02, augmenting=0.3)
    meter.add(seconds=0.6, waiting=0.15, reading=0.04, augmenting=0.5)
    meter.add_loss(1.0)
    meter.add_loss(2.0)

    assert meter.summary() == {
        "loss": 1.5,
        "seconds_per_iteration": 0.5,
        "waiting_for_loader": 0.25,
        "loader_reading": 0.03,
        "loader_augmenting": 0.4,
    }
    meter.clear()
    assert meter.summary()["loss"] == 0
