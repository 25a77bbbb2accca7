"""What is said of a fold whose decoding was tuned, and when it is tuned."""

from types import SimpleNamespace

import pytest

from autoseg.model.decoding import Decoding
from autoseg.train.after.kinds import instances
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.instances import AfterInstances


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(folder=tmp_path, dataset=None, validation=("a", "b"))


def _tuned(folder, kept):
    core = {"core": 0.6}
    Decoding(
        decoder="border_core",
        parameters=core,
        best=core,
        defaults=core,
        before=0.5,
        after=0.625,
        held_out=0.6,
        kept=kept,
        parts=(),
        objects=12,
        tried={"core": [[0.6, 0.625]]},
        evaluations=1,
    ).save(folder / "decoding.json")


def test_a_fold_that_was_not_tuned_has_nothing_to_say(job):
    assert AfterInstances(job, "cpu").remarks() == ""


@pytest.mark.parametrize("kept", [True, False])
def test_it_is_said_whose_scores_are_shown_if_parameters_were_chosen(job, kept):
    _tuned(job.folder, kept)

    words = AfterInstances(job, "cpu").remarks()

    assert str(job.folder / "decoding.json") in words
    assert ("other half of these cases" in words) == kept


def test_where_nothing_can_be_tuned_cases_are_predicted_as_any_other(job, monkeypatch):
    seen = []
    monkeypatch.setattr(instances, "tunes", lambda model: False)
    monkeypatch.setattr(AfterKind, "predict", lambda self, *given: seen.append(given))

    AfterInstances(job, "cpu").predict("model", ["case"], None)

    assert seen == [("model", ["case"], None)]


def test_outputs_that_were_kept_go_even_if_no_case_waits(job, monkeypatch):
    calls = []

    class Fake:
        def __init__(self, *given):
            calls.append("made")

        def clean(self):
            calls.append("cleaned")

    monkeypatch.setattr(instances, "tunes", lambda model: True)
    monkeypatch.setattr(instances, "FoldDecoding", Fake)

    after = AfterInstances(job, "cpu")
    after.predict("model", [], None)
    after.clean("model")

    assert calls == ["made", "cleaned"]
