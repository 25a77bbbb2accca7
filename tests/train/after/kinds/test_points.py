"""What a fold learns from the points of its validation."""

from types import SimpleNamespace

import pytest

from autoseg.train.after.kinds import points
from autoseg.train.after.kinds.points import AfterPoints


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(folder=tmp_path / "fold_0")


def test_shapes_are_learnt_before_anything_is_predicted(job, monkeypatch):
    seen = []
    monkeypatch.setattr(points, "learn_shapes", seen.append)

    AfterPoints(job, "cpu").prepare()

    assert seen == [job]


def test_what_was_learnt_is_said_with_the_file_that_keeps_it(job, monkeypatch):
    monkeypatch.setattr(points, "learn_confidence", lambda *given: "the table")

    words = AfterPoints(job, "cpu").learn(job.folder / "validation")

    assert str(job.folder / "confidence.json") in words
    assert words.endswith("\nthe table")


def test_nothing_is_said_where_nothing_is_learnt(job, monkeypatch):
    monkeypatch.setattr(points, "learn_confidence", lambda *given: None)

    assert AfterPoints(job, "cpu").learn(job.folder) == ""
    assert AfterPoints(job, "cpu").remarks() == ""
