"""What is said fits a terminal of 80 columns, and programs can read it."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from autoseg.cli.main import commands, load_command, main, make_parser
from autoseg.evaluate.aggregate import aggregate
from autoseg.evaluate.summary import Summary
from autoseg.progress import Progress


@pytest.fixture
def folder(tmp_path):
    for part, value in (("images", 90), ("labels", 1)):
        (tmp_path / "d" / part).mkdir(parents=True)
        for number in range(2):
            array = np.full((16, 16), number, np.uint8)
            array[4:9, 4:9] = value
            Image.fromarray(array).save(tmp_path / f"d/{part}/{number}.png")
    return tmp_path / "d"


def test_json_is_all_that_is_printed(folder, capsys):
    assert main(["init", str(folder), "--no-picture", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "semantic" and found["cases"] == 2
    assert main(["check", str(folder), "--json"]) == 0
    problems = json.loads(capsys.readouterr().out)
    assert {p["severity"] for p in problems} <= {"warning", "note"}


def test_quiet_leaves_results_and_warnings(folder, capsys):
    assert main(["init", str(folder), "--no-picture", "--quiet"]) == 0
    assert logging.getLogger("autoseg").level == logging.WARNING
    assert Progress.shown is False
    assert main(["check", str(folder)]) == 0
    assert Progress.shown is True


@pytest.mark.parametrize("name", commands())
def test_every_help_fits(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = make_parser(name, load_command(name)).format_help()
    wide = [line for line in text.splitlines() if len(line) > 80]
    assert wide == []


def test_a_table_of_many_measures_fits_and_names_what_it_leaves_out():
    rng = np.random.default_rng(0)
    names = ("dice", "hd95", "assd", "nsd", "sensitivity", "precision")
    cases = {
        f"case_{n}": {
            label: {name: float(rng.random()) for name in names}
            for label in ("a class with a very long name", "other")
        }
        for n in range(5)
    }
    lines = make_summary(cases).table(width=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert "Dice" in lines[0]
    assert any("summary.csv" in line for line in lines)
    wide = make_summary(cases).table().splitlines()
    assert not any("Not shown" in line for line in wide)
    assert "prec." in wide[0]


def make_summary(cases):
    classes, foreground = aggregate(cases)
    return Summary(cases=cases, classes=classes, foreground=foreground, unit="mm")
