import json
import math
import threading

import numpy as np
import pytest

from autoseg.figures.progress import plot_progress


def _log(entries=40):
    rng = np.random.default_rng(0)
    for number in range(1, entries + 1):
        entry = {
            "iteration": 50 * number,
            "progress": number / entries,
            "seconds": 12.0 * number,
            "learning_rate": 1e-2 * (1 - number / entries),
            "loss": math.exp(-number / 10) + 0.05 * rng.normal(),
            "seconds_per_iteration": 0.2,
            "waiting_for_loader": 0.1,
        }
        if number % 5 == 0:
            score = 1 - math.exp(-number / 10)
            entry |= {"score": score, "average_score": 0.9 * score}
            entry |= {"validation_loss": 0.1, "dice": {"a": score, "b": None}}
        yield entry


def _pixels(path):
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_picture_of_the_training_is_drawn(tmp_path):
    plot_progress(list(_log()), tmp_path / "fold" / "progress.png")

    pixels = _pixels(tmp_path / "fold" / "progress.png")
    assert pixels.shape == (640, 1000, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert not list((tmp_path / "fold").glob(".*"))  # nothing temporary is left


def test_each_curve_changes_the_picture(tmp_path):
    whole = list(_log())
    plot_progress(whole, tmp_path / "whole.png")

    for key in ("loss", "score", "learning_rate", "seconds_per_iteration", "dice"):
        less = [{k: v for k, v in e.items() if k != key} for e in whole]
        plot_progress(less, tmp_path / "less.png")
        assert (_pixels(tmp_path / "less.png") != _pixels(tmp_path / "whole.png")).any()


@pytest.mark.parametrize(
    "log",
    [
        [],
        [{"iteration": 1}],
        [{"iteration": 1, "loss": 0.5}],
        [{"iteration": 1, "loss": math.nan}, {"iteration": 2, "loss": math.inf}],
        [{"iteration": 1, "score": -3.0, "average_score": -3.0}],
        [{"iteration": 1, "dice": None, "score": None}],
        [{"loss": 1.0}, {"loss": 0.5}],
    ],
)
def test_whatever_is_missing_is_left_out(log, tmp_path):
    plot_progress(log, tmp_path / "progress.png")

    assert _pixels(tmp_path / "progress.png").shape == (640, 1000, 3)


def test_the_same_log_gives_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        plot_progress(list(_log()), tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_long_log_is_thinned_out(tmp_path):
    log = [{"iteration": i, "loss": 1 / (1 + i)} for i in range(200_000)]

    plot_progress(log, tmp_path / "progress.png")

    assert (tmp_path / "progress.png").stat().st_size < 200_000


def test_it_reads_what_a_logbook_writes(tmp_path):
    lines = "".join(json.dumps(entry) + "\n" for entry in _log())
    log = [json.loads(line) for line in lines.splitlines()]

    plot_progress(log, tmp_path / "progress.png")

    assert (tmp_path / "progress.png").is_file()


def test_threads_can_draw_at_the_same_time(tmp_path):
    plot_progress(list(_log()), tmp_path / "alone.png")
    threads = [
        threading.Thread(
            target=plot_progress, args=(list(_log()), tmp_path / f"{number}.png")
        )
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = (tmp_path / "alone.png").read_bytes()
    assert all(
        (tmp_path / f"{number}.png").read_bytes() == expected for number in range(3)
    )
