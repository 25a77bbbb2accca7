"""What follows the training of a fold of label maps."""

from types import SimpleNamespace

import pytest

from autoseg.train.after.kinds import base
from autoseg.train.after.kinds.labels import AfterLabels


@pytest.fixture
def calls(monkeypatch):
    """Record how cases are predicted, without a network."""
    seen = {}

    class Predictor:
        def __init__(self, model, options):
            assert options.max_memory == 3.0  # the job's
            seen["uncertainty"] = options.uncertainty

    class Pipeline:
        def __init__(self, predictor, previous, qualities, **more):
            assert not more  # nothing else looks on
            seen["qualities"] = qualities

        def run(self, waiting, *workers):
            seen["cases"] = waiting

    monkeypatch.setattr(base, "Predictor", Predictor)
    monkeypatch.setattr(base, "Pipeline", Pipeline)
    return seen


def _predict(monkeypatch, folder, doubts):
    readout = SimpleNamespace(can_doubt=doubts)
    monkeypatch.setattr(base, "readout_of", lambda model, options: readout)
    job = SimpleNamespace(folder=folder, fold="all", max_memory=3.0)
    AfterLabels(job, "cpu").predict("model", ["case"], None)


def test_how_sure_predictions_are_is_kept(calls, monkeypatch, tmp_path):
    _predict(monkeypatch, tmp_path, doubts=True)

    assert calls["cases"] == ["case"]
    assert calls["uncertainty"]
    assert calls["qualities"].path == tmp_path / "validation" / "uncertainty.json"


def test_where_voxels_are_not_doubted_a_number_is_kept_all_the_same(
    calls, monkeypatch, tmp_path
):
    _predict(monkeypatch, tmp_path, doubts=False)

    assert calls["cases"] == ["case"] and not calls["uncertainty"]
    assert calls["qualities"].path == tmp_path / "validation" / "uncertainty.json"


def test_nothing_is_made_if_no_case_waits(calls, tmp_path):
    AfterLabels(SimpleNamespace(folder=tmp_path), "cpu").predict("model", [], None)

    assert calls == {}
