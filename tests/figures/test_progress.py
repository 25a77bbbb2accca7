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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The picture of a whole log, in a folder that was not there."""
    path = tmp_path_factory.mktemp("whole") / "fold" / "progress.png"
    plot_progress(list(_log()), path)
    return path


def test_a_picture_of_the_training_is_drawn(whole):
    pixels = _pixels(whole)

    assert pixels.shape == (640, 1000, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50
    assert not list(whole.parent.glob(".*"))  # nothing temporary is left


def test_each_curve_changes_the_picture(whole, tmp_path):
    for key in ("loss", "score", "learning_rate", "seconds_per_iteration", "dice"):
        less = [{k: v for k, v in e.items() if k != key} for e in _log()]
        plot_progress(less, tmp_path / "less.png")
        assert (_pixels(tmp_path / "less.png") != _pixels(whole)).any()


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


def test_the_same_log_gives_the_same_bytes_also_when_a_logbook_wrote_it(
    whole, tmp_path
):
    lines = "".join(json.dumps(entry) + "\n" for entry in _log())
    log = [json.loads(line) for line in lines.splitlines()]

    plot_progress(log, tmp_path / "again.png")

    assert (tmp_path / "again.png").read_bytes() == whole.read_bytes()


def test_a_long_log_is_thinned_out(tmp_path):
    log = [{"iteration": i, "loss": 1 / (1 + i)} for i in range(200_000)]

    plot_progress(log, tmp_path / "progress.png")

    assert (tmp_path / "progress.png").stat().st_size < 200_000


def test_threads_can_draw_at_the_same_time(whole, tmp_path):
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

    expected = whole.read_bytes()
    assert all(
        (tmp_path / f"{number}.png").read_bytes() == expected for number in range(3)
    )
