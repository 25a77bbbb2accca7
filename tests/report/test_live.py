"""The page is written beside other commands, and what they took is noted."""

import argparse
import json
import logging
import time

import pytest

from autoseg.cli import _stages
from autoseg.errors import UsageError
from autoseg.report import live as _page
from autoseg.report import stage as report_stage
from autoseg.report.page.content import describe_stages
from autoseg.workspace import Workspace
from tests.report import results_folder


@pytest.fixture
def pages(monkeypatch):
    """Which pages were asked for, and what is raised."""
    asked = []

    def report(dataset, root, pictures):
        asked.append((dataset, pictures))
        if dataset != "Toy":
            raise UsageError("no such data set")
        return root / "report.html"

    monkeypatch.setattr(report_stage, "report", report)
    monkeypatch.setattr(_page, "write_page", WRITE)
    return asked


WRITE = _page.write_page  # before tests/conftest.py takes it away


def test_the_page_is_written_again_and_again_until_the_end_and_named_once(
    pages, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(_page, "SECONDS", 0.01)
    caplog.set_level(logging.INFO)

    with _page.live_page("Toy", tmp_path):
        limit = time.monotonic() + 10
        while len(pages) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
    count = len(pages)
    time.sleep(0.03)

    assert count >= 2 and len(pages) == count
    assert set(pages) == {("Toy", False)}
    assert caplog.text.count(str(tmp_path / "report.html")) == 1


def test_nothing_is_lost_where_it_cannot_be_written(pages, tmp_path, capsys):
    _page.tell_page("Other", tmp_path)
    _page.tell_page("Toy", tmp_path)

    assert capsys.readouterr().out == f"Report: {tmp_path / 'report.html'}\n"
    assert pages == [("Other", True), ("Toy", True)]


def test_a_command_that_ends_well_is_noted_and_the_last_one_counts(tmp_path):
    results_folder.prepare(tmp_path, folds=0, cases=2)
    words = {"dataset": "Toy", "root": tmp_path, "configuration": "2d", "fold": "0"}
    given = argparse.Namespace(**words)

    of_all = argparse.Namespace(dataset="Toy", root=tmp_path)

    for name in ("train", "plan", "train", "check"):
        with _stages.recorded(name, of_all if name == "plan" else given):
            pass
    with pytest.raises(ValueError), _stages.recorded("predict", given):
        raise ValueError

    file = Workspace.find("Toy", tmp_path).stages
    assert len(file.read_text().splitlines()) == 3
    rows = describe_stages(file)
    assert [row["stage"] for row in rows] == ["plan", "train"]
    assert rows[1]["fold"] == "0" and rows[1]["memory"] > 2**20
    assert json.dumps(rows)
    page = report_stage.report("Toy", tmp_path, pictures=False)
    assert "Time and memory" in page.read_text()
