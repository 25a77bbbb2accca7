"""Which configurations a run trains, and how long each of them."""

from types import SimpleNamespace

import pytest

from autoseg.errors import UsageError
from autoseg.running import chosen, stage
from autoseg.running.chosen import choose_stages, decide
from autoseg.running.journal import Journal
from autoseg.spec.choice import Choice

HOUR = 3600.0
POINTS = Choice(name="landmark", options={"landmarks": ["tip"]})
REGIONS = Choice(name="semantic", options={"labels": {"background": 0, "a": 1}})


def _plan(task, **previous):
    found = {n: SimpleNamespace(previous=before) for n, before in previous.items()}
    return SimpleNamespace(
        task=task, configurations=found, configuration=found.__getitem__
    )


TWO = _plan(POINTS, **{"2d": None, "2d_fine": "2d"})


@pytest.mark.parametrize(
    ("plan", "configuration", "first", "fine"),
    [
        (TWO, None, "2d", ""),
        (TWO, "2d", "2d", ""),
        (TWO, "2d_fine", "2d", "2d_fine"),
        (_plan(POINTS, **{"2d": None, "3d_fullres": None}), None, "3d_fullres", ""),
        (
            _plan(REGIONS, **{"3d_lowres": None, "3d_cascade_fullres": "3d_lowres"}),
            "3d_cascade_fullres", "3d_cascade_fullres", "",
        ),
    ],
)  # fmt: skip
def test_a_closer_look_that_is_asked_for_comes_with_what_it_looks_at(
    plan, configuration, first, fine
):
    found = choose_stages(plan, configuration)
    assert (found.first, found.fine) == (first, fine)


@pytest.mark.parametrize(
    ("configuration", "stages"),
    [(None, ("2d",)), ("2d_fine", ("2d", "2d_fine"))],
)
def test_the_time_of_a_fold_is_shared_with_the_closer_look(
    tmp_path, monkeypatch, configuration, stages
):
    trained = []
    monkeypatch.setattr(chosen, "load_splits", lambda *_: [None] * 5)
    monkeypatch.setattr(
        stage, "train", lambda _, *which, **how: trained.append((which, how))
    )
    journal = Journal(tmp_path / "run.json")
    journal.begin(HOUR)
    decide(journal, None, None, choose_stages(TWO, configuration), None, 0)
    own = stage._Run(dataset="d", root=None, device="cpu", threads=1, workers=1)

    stage._train(own, Journal(tmp_path / "run.json"), None, 0, False)

    assert [which[:2] for which, _ in trained] == [(name, "0") for name in stages]
    seconds = [how["time_budget"] for _, how in trained]
    assert len(set(seconds)) == 1
    assert 0.85 * HOUR < sum(seconds) < HOUR
    journal.refuse_others(None, stages[-1], None)
    with pytest.raises(UsageError, match=" and ".join(stages)):
        journal.refuse_others(None, "3d_fullres", None)
