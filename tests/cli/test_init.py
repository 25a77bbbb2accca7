"""`autoseg init` says what it understood, and shows three cases."""

import numpy as np
import pytest
from PIL import Image

from autoseg.cli.main import main


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(4):
        for part in ("images", "labels"):
            (tmp_path / "d" / part).mkdir(parents=True, exist_ok=True)
        shape = (24, 30)
        labels = np.zeros(shape, np.uint8)
        labels[4:15, 4 + number : 16] = 1
        image = rng.integers(0, 200, shape).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"d/images/{number}.png")
        Image.fromarray(labels).save(tmp_path / f"d/labels/{number}.png")
    return tmp_path / "d"


def test_it_says_what_it_understood_and_what_comes_next(folder, capsys):
    assert main(["init", str(folder), "--labels", "liver=1"]) == 0
    said = capsys.readouterr().out
    assert "4 cases" in said and "semantic: one value, 1" in said
    assert "liver = 1" in said
    assert f"autoseg run {folder}" in said
    with Image.open(folder / "dataset.png") as picture:
        assert min(picture.size) > 300
    assert main(["check", str(folder)]) == 0


def test_a_second_time_it_is_refused_and_wrong_labels_are_explained(folder, capsys):
    assert main(["init", str(folder), "--no-picture"]) == 0
    assert main(["init", str(folder)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["init", str(folder), "--overwrite", "--labels", "liver"]) == 2
    assert "liver=1" in capsys.readouterr().err
