"""What is said of a fold whose decoding was tuned, and what its scores teach."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.read import load_dataset
from autoseg.metrics.object_scores import ScoreCurve, load_scores
from autoseg.model.decoding import Decoding
from autoseg.predict.readouts.instances import InstanceReadout
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask
from autoseg.train.after.kinds import instances
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.instances import AfterInstances


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(
        folder=tmp_path, dataset=None, validation=("a", "b"), max_memory=None
    )


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


def squares(folder, name, count, drawn):
    """Write a map of so many squares in a row, of which some are twice as long."""
    labels = np.zeros((6, 10 * count), np.uint8)
    for i in range(count):
        labels[1:5, 10 * i + 1 : 10 * i + (9 if i in drawn else 5)] = i + 1
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(folder / f"{name}.png")


def test_scores_of_validation_cases_teach_the_chance_to_be_right(tmp_path):
    (tmp_path / "dataset.json").write_text(
        '{"task": "instance", "channel_names": {"0": "gray"}, "file_ending": ".png", '
        '"labels": {"background": 0, "cell": 1}}'
    )
    done = tmp_path / "fold_0" / "validation"
    for name in ("a", "b"):
        squares(tmp_path / "imagesTr", f"{name}_0000", 20, ())
        squares(tmp_path / "labelsTr", name, 20, ())
        squares(done, name, 20, range(0, 20, 4))  # of four, one is too long: IoU 0.5
        rows = "".join(f"{i + 1},cell,{0.95}\n" for i in range(20))
        (done / f"{name}_instances.csv").write_text(f"id,class,score\n{rows}")
    job = SimpleNamespace(
        folder=tmp_path / "fold_0",
        fold="0",
        task=InstanceTask({"cell": 1}),
        dataset=load_dataset(tmp_path),
        validation=("a", "b", "missing"),
    )

    words = AfterInstances(job, "cpu").learn(done)

    assert "40 objects, of which 75% are right" in words
    curve = load_scores(tmp_path, ["0"])
    # One score only: of 40 objects 30 are right, and a little is left to belief.
    assert curve.applied({1: 0.95})[1] == pytest.approx(0.75, abs=0.02)
    job.fold = "all"  # has learned from them
    assert AfterInstances(job, "cpu").learn(done) == ""


def test_predictions_have_chances_in_place_of_scores_and_stuff_keeps_its_own():
    found = Instances(np.array([[1, 2, 3]], np.int32), {1: 1, 2: 1, 3: 2})
    found = replace(found, scores={1: 0.9, 2: 0.5, 3: 0.9})
    task = InstanceTask({"cell": 1}, stuff={"tissue": 2})
    curve = ScoreCurve(slope=0.5, offset=0.0)

    def finished(scores):
        model = SimpleNamespace(scores=scores)
        return InstanceReadout(model, task, None).finish(found, None, None).scores

    assert finished(None) == found.scores
    # Odds of 9 become odds of 3.
    assert finished(curve) == pytest.approx({1: 0.75, 2: 0.5, 3: 0.9})
