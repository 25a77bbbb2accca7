"""One command from a data set to a model, a page and predictions."""

import time

import numpy as np
import pytest
from PIL import Image

from autoseg.cli.main import main
from autoseg.report import live
from autoseg.running import stage
from autoseg.running.journal import Journal


def draw(path, seed, label):
    rng = np.random.default_rng(seed)
    labels = np.zeros((32, 40), np.uint8)
    y, x = rng.integers(2, 12), rng.integers(2, 18)
    labels[y : y + 14, x : x + 14] = 1
    path.parent.mkdir(parents=True, exist_ok=True)
    image = labels * 120 + rng.integers(0, 60, labels.shape)
    Image.fromarray((labels if label else image).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder that was described and run, with what the run said."""
    place = tmp_path_factory.mktemp("hour")
    for seed in range(5):
        draw(place / "d" / "images" / f"{seed}.png", seed, label=False)
        draw(place / "d" / "labels" / f"{seed}.png", seed, label=True)
        draw(place / "new" / f"{seed + 90}.png", seed + 90, label=False)
    root = ["--root", str(place / "root"), "--threads", "1", "--workers", "1"]
    words = ["run", str(place / "d"), "-i", str(place / "new"), "-o", str(place / "o")]
    assert main(["init", str(place / "d"), "--no-picture"]) == 0
    assert main([*words, "--time-budget", "6s", *root]) == 0
    return place, words, root


def test_it_ends_with_a_page_and_predictions(ran):
    place, _, _ = ran
    page = place / "root" / "results" / "d" / "report.html"
    assert "<html" in page.read_text(encoding="utf-8")
    assert len(list((place / "o").glob("9?.png"))) == 5
    fold = place / "root" / "results" / "d" / "unet" / "2d" / "fold_0"
    assert (fold / "validation" / "summary.json").is_file()
    assert not (fold / "checkpoint_rehearsal.pt").exists()


def test_the_same_command_trains_nothing_again(ran, capsys):
    place, words, root = ran
    fold = place / "root" / "results" / "d" / "unet" / "2d" / "fold_0"
    before = (fold / "checkpoint_final.pt").stat().st_mtime_ns
    assert main([*words, *root]) == 0
    said = capsys.readouterr()
    assert "$ autoseg train" in said.err and "$ autoseg report" in said.err
    assert "report.html" in said.out.splitlines()[-1]
    assert (fold / "checkpoint_final.pt").stat().st_mtime_ns == before


def test_another_time_wants_a_word(ran, capsys):
    _, words, root = ran
    assert main([*words, "--time-budget", "20s", *root]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_other_folds_want_a_word(ran, capsys):
    _, words, root = ran
    assert main([*words, "--folds", "2", *root]) == 2
    assert "1 fold of 2d" in capsys.readouterr().err


def test_a_folder_without_description_names_init(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    assert main(["run", str(tmp_path / "x"), "--time-budget", "1m"]) == 2
    assert "autoseg init" in capsys.readouterr().err


def test_without_a_budget_the_shortest_length_is_taken(ran, monkeypatch):
    place, _, _ = ran
    asked = []
    monkeypatch.setattr(stage, "fastest_step", lambda *_, **__: (False, 1.0))
    for name in ("_train", "_predict", "_report"):
        monkeypatch.setattr(stage, name, lambda *_, **__: place / "nothing")
    monkeypatch.setattr(stage, "_select", lambda *_: (place, []))

    def shortest(lengths):
        asked.extend(lengths)
        return lengths[0]

    root = place / "root"
    stage.run(place / "d", root, overwrite=True, choose=shortest, workers=1)
    journal = Journal(root / "results" / "d" / "autoseg_run.json")
    assert [length.seconds for length in asked] == [1200, 7200, 36000]
    assert journal.decided.budget == 1200
    assert list(journal.decided.folds) == ["0"]
    # All but what was spent before and what is kept of the page, 5 s at the least.
    assert 1080 < journal.decided.folds["0"] < 1195


def test_no_time_at_all_is_refused_and_leaves_no_record(ran, tmp_path, capsys):
    _, words, _ = ran

    assert main([*words, "--time-budget", "0s", "--root", str(tmp_path / "root")]) == 2

    assert "--time-budget is 0s; give more" in capsys.readouterr().err
    assert not (tmp_path / "root" / "results").exists()


def test_the_page_is_written_anew_while_it_trains(ran, monkeypatch):
    place, _, _ = ran
    pages, while_training = [], []

    def train(*_, **__):
        limit = time.monotonic() + 20
        while not pages and time.monotonic() < limit:
            time.sleep(0.01)
        while_training.extend(pages)

    monkeypatch.setattr(live, "SECONDS", 0.01)
    monkeypatch.setattr(live, "write_page", lambda *_, **__: pages.append(1) or place)
    monkeypatch.setattr(stage, "train", train)
    for name in ("_predict", "_report"):
        monkeypatch.setattr(stage, name, lambda *_, **__: place / "nothing")
    monkeypatch.setattr(stage, "_select", lambda *_: (place, []))

    stage.run(place / "d", place / "root", time_budget="1m", overwrite=True, workers=1)

    assert while_training
