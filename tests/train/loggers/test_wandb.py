"""Weights & Biases is asked for as nnU-Net asks, and goes on by the run's id."""

import sys
from types import SimpleNamespace

from autoseg.testing.logger import _subject
from autoseg.train.loggers import LOGGERS


class Run:
    """Notes what it is told."""

    def __init__(self, asked):
        self.asked, self.id, self.rows = asked, asked["id"] or "new", []

    def define_metric(self, *names, **options):
        pass

    def log(self, row):
        self.rows.append(row)

    def finish(self, exit_code):
        self.code = exit_code


def test_project_mode_and_run_are_those_that_are_asked_for(tmp_path, monkeypatch):
    fake = SimpleNamespace(init=lambda **asked: Run(asked))
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setenv("nnUNet_wandb_project", "hearts")
    monkeypatch.setenv("nnUNet_wandb_mode", "offline")
    first, second = (LOGGERS["wandb"]() for _ in range(2))

    known = first.begin(_subject(tmp_path, 0), None)
    assert known == "new"
    assert second.begin(_subject(tmp_path, 50), known) == known

    asked = second._run.asked
    assert (asked["project"], asked["mode"]) == ("hearts", "offline")
    assert (asked["id"], asked["resume"]) == ("new", "allow")
    second.log(100, {"loss": 0.5})
    second.close(finished=True)
    assert second._run.rows == [{"iteration": 100, "loss": 0.5}]
    assert second._run.code == 0
