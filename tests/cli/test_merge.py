"""`autoseg merge` makes one data set of several, and overwrites nothing."""

import json

import pytest

from autoseg.cli.main import main
from tests import toy


@pytest.fixture
def two(tmp_path):
    other = {"background": 0, "one": 1, "three": 2}
    shape = (2, 6, 6)
    return (
        toy.volumes(tmp_path / "A", 1, 0, shape),
        toy.volumes(tmp_path / "B", 1, 0, shape, labels=other),
    )


def test_a_folder_that_holds_something_is_left_alone(two, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")

    assert main(["merge", *map(str, two), "-o", str(out)]) == 2

    assert "holds something" in capsys.readouterr().err
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_the_command_says_what_comes_next(two, tmp_path, capsys):
    assert main(["merge", *map(str, two), "-o", str(tmp_path / "out")]) == 0

    assert f"autoseg check {tmp_path / 'out'}" in capsys.readouterr().out
    raw = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert raw["labels"] == {"background": 0, "one": 1, "two": 2, "three": 3}
    assert raw["annotated"]["B_case_00"] == ["one", "three"]
