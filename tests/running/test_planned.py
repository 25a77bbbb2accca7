"""A run keeps the plan that somebody made with settings of his own."""

import os

import pytest

from autoseg.running import stage
from autoseg.spec.plan import Plan
from planners.stage import budget_of, plan
from tests.planners.conftest import make_place

SETTINGS = {"network.features": [8, 16, 32], "batch_size": 3}


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A plan with settings, of a data set without cases, whose looking is left out."""
    folder, space = make_place(tmp_path)
    monkeypatch.setattr(stage, "fingerprint", lambda *_, **__: None)
    made = plan(folder, tmp_path, gpu_memory=4, settings=SETTINGS, operations=5e8)
    own = stage._Run(
        dataset=str(folder), root=str(tmp_path), device="cpu", threads=1, workers=1
    )
    return own, space, made


def _settings(made):
    chosen = made.configurations["3d_fullres"]
    return chosen.batch_size, list(chosen.network.options["features"])


def test_a_plan_that_is_there_stays(planned):
    own, space, made = planned
    assert stage._planned(own) == (made, True)
    assert _settings(made) == (3, [8, 16, 32])


def test_where_the_data_changed_it_is_made_again_with_its_settings(planned):
    own, space, made = planned
    later = space.plan("unet").stat().st_mtime + 5
    os.utime(space.fingerprint, (later, later))

    again, kept = stage._planned(own)

    assert not kept and _settings(again) == (3, [8, 16, 32])
    assert Plan.load(space.plan("unet")) == again
    assert budget_of(again) == budget_of(made)
    assert (budget_of(made).memory_gb, budget_of(made).operations) == (4, 5e8)


def test_without_one_it_is_made(planned):
    own, space, _ = planned
    space.plan("unet").unlink()

    made, kept = stage._planned(own)

    assert not kept and made.budget.options["memory_gb"] != 4
