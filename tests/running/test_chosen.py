"""Which configurations a run trains, and how long each of them."""

from types import SimpleNamespace

import pytest

from autoseg.errors import UsageError
from autoseg.running import chosen, stage
from autoseg.running.chosen import choose_stages, decide
from autoseg.running.images import count_of
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
    decide(journal, None, None, choose_stages(TWO, configuration), None, 9.0)
    own = stage._Run(dataset="d", root=None, device="cpu", threads=1, workers=1)

    stage._train(own, Journal(tmp_path / "run.json"), 7, None, seed=0)

    assert [which[:2] for which, _ in trained] == [(name, "0") for name in stages]
    seconds = [how["time_budget"] for _, how in trained]
    assert len(set(seconds)) == 1
    # All but what the page takes; new images are predicted with the last stage.
    assert HOUR - 9 - 5 < sum(seconds) <= HOUR - 9
    images = [how["to_predict"] for _, how in trained]
    assert images == [0] * (len(stages) - 1) + [7]
    journal.refuse_others(None, stages[-1], None)
    with pytest.raises(UsageError, match=" and ".join(stages)):
        journal.refuse_others(None, "3d_fullres", None)


@pytest.mark.parametrize(
    ("folds", "there", "each"),
    [
        (None, 5, 1000 - 10),  # a fold gets forty minutes, or is the only one
        (2, 5, (1000 - 10) / 2),
        (2, 2, (1000 - 10 - 120) / 2),  # one model is made of both
        (1, 1, 1000 - 10),
    ],
)
def test_folds_share_what_the_page_and_the_selection_leave(
    tmp_path, monkeypatch, folds, there, each
):
    monkeypatch.setattr(chosen, "load_splits", lambda *_: [None] * there)
    journal = Journal(tmp_path / "run.json")
    journal.begin(1000.0)

    decide(journal, None, None, choose_stages(TWO, "2d"), folds, 10.0)

    given = journal.decided.folds
    assert len(given) == (folds or 1)
    assert all(each - 2 < seconds <= each for seconds in given.values())


def test_images_are_counted_by_the_files_of_a_case(tmp_path):
    for name in ("a_0000.png", "a_0001.png", "b_0000.png", "b_0001.png"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    two = SimpleNamespace(training=[SimpleNamespace(images=("x", "y"))])
    one = SimpleNamespace(training=[SimpleNamespace(images=("x",))])
    none = SimpleNamespace(training=[])

    counts = [count_of([tmp_path], described) for described in (two, one, none)]

    assert counts == [2, 4, 4]
    assert count_of([("x", "y"), ("x", "y"), ("x", "y")], two) == 3
