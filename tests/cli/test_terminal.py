"""What is said fits a terminal of 80 columns, and programs can read it."""

import io
import json
import logging
import shutil
import sys

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


def test_a_terminal_of_ascii_is_told_of_names_that_are_not(tmp_path, monkeypatch):
    names = [f"m\u00e4use_{number}" for number in range(2)]
    labels = {"background": 0, "Gr\u00f6\u00dfe \N{SNOWMAN}": 1}
    for name, value in zip(names, (1, 7), strict=True):
        for part, file in (
            ("imagesTr", f"{name}_0000.png"),
            ("labelsTr", f"{name}.png"),
        ):
            path = tmp_path / "d" / part / file
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn = np.zeros((16, 16), np.uint8)
            drawn[4:9, 4:9] = value if part == "labelsTr" else 90
            Image.fromarray(drawn).save(path)
    described = {"channel_names": ["\N{GREEK SMALL LETTER ALPHA}"], "labels": labels}
    (tmp_path / "d/dataset.json").write_text(json.dumps(described))
    said = {}
    for name in ("stdout", "stderr"):  # strict, as with PYTHONIOENCODING=ascii
        said[name] = io.TextIOWrapper(
            io.BytesIO(), encoding="ascii", write_through=True
        )
        monkeypatch.setattr(sys, name, said[name])

    assert main(["check", str(tmp_path / "d"), "--workers", "1"]) == 2
    (tmp_path / "d/labelsTr/m\u00e4use_1.png").unlink()
    shutil.copytree(tmp_path / "d/labelsTr", tmp_path / "p")
    given = ["-p", "p", "-g", "d/labelsTr", "-d", "d/dataset.json", "-o", "scores"]
    monkeypatch.chdir(tmp_path)
    code = main(["evaluate", *given, "--workers", "1"])
    assert main(["check", str(tmp_path / "f\u00e4hlt")]) == 2

    out, err = (one.buffer.getvalue().decode("ascii") for one in said.values())
    assert "m\\xe4use_1.png" in out and "The value 7 is not" in out
    assert code == 0 and "Gr\\xf6\\xdfe \\u2603" in out
    assert "f\\xe4hlt" in err and "Traceback" not in out + err


def test_a_program_without_streams_can_run_a_command(folder, monkeypatch):
    assert main(["init", str(folder), "--no-picture", "--quiet"]) == 0
    for name in ("stdin", "stdout", "stderr"):  # whose numbers other files have
        monkeypatch.setattr(sys, name, None)

    assert main(["check", str(folder), "--workers", "1"]) == 0
    assert main(["check", str(folder / "nowhere")]) == 2


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
