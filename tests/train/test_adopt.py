"""A training that starts from a model takes its network, if it is another."""

from dataclasses import replace

import pytest

from autoseg.model.bundle import write_bundle
from autoseg.model.load import load_model
from autoseg.spec.choice import Choice
from autoseg.train.fit import PLANNED
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options, resolve_recipe
from autoseg.train.start.adopt import adopt_network, gently
from tests.predict import toy_model


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A model with two stages of 4 and 8 features; the toy's plan has three."""
    path = tmp_path_factory.mktemp("model") / "small.zip"
    return write_bundle(toy_model.model(toy_model.plan(3, patch=8)), path)


def _job(toy_root, **options):
    asked = Options(**options)
    job = find_job(toy_root.dataset, "3d_fullres", 0, toy_root.root, "unet", asked)
    return job, adopt_network(job, asked)


def test_the_network_patch_and_batch_of_the_model_are_taken(toy_root, small):
    theirs = load_model(small).settings
    job, fit = _job(toy_root, init_from=str(small))

    changed = fit.applied(job).settings

    assert changed.network == theirs.network != job.settings.network
    assert changed.patch_size == theirs.patch_size
    assert changed.batch_size == theirs.batch_size
    whole = Options(init_from=str(small))
    assert gently(job, whole) is whole  # the planned network has more than is taken
    assert gently(fit.applied(job), whole).recipe_changes
    assert "small.zip" in fit.because


def test_what_is_given_by_hand_stays(toy_root, small):
    source = {"init_from": str(small)}

    job, fit = _job(
        toy_root, **source, batch_size=3, settings={"patch_size": [8, 8, 8]}
    )
    assert "batch_size" not in fit.changes and "patch_size" not in fit.changes
    _, fit = _job(toy_root, **source, settings={"network.features": [2, 4, 4]})
    assert fit is PLANNED
    _, fit = _job(toy_root, **source, keep_network=True)
    assert fit is PLANNED
    assert _job(toy_root)[1] is PLANNED


def test_a_model_whose_weights_fit_changes_nothing(toy_root, tmp_path):
    asked = Options()
    job = find_job(toy_root.dataset, "3d_fullres", 0, toy_root.root, "unet", asked)
    model = toy_model.model(job.plan, configuration="3d_fullres")
    path = write_bundle(model, tmp_path / "same.zip")

    assert _job(toy_root, init_from=str(path))[1] is PLANNED

    whole = Options(init_from=str(path))
    slow = gently(job, whole)
    assert 0 < resolve_recipe(slow, job.plan, "3d_fullres")[0].taken_rate < 0.1
    by_hand = Options(init_from=str(path), lr=0.01)
    assert gently(job, by_hand) is by_hand
    wider = replace(job, plan=_of_objects(job.plan))
    assert gently(wider, whole) is whole  # of another task
    assert gently(job, Options()) == Options()


def _of_objects(plan, **options):
    choice = {"name": "flow_distance", "options": options}
    task = {"labels": {"cell": 1}, "axes": 3, "representation": choice}
    return replace(plan, task=Choice(name="instance", options=task))


def test_what_outputs_mean_comes_with_the_weights_that_learnt_it(toy_root, tmp_path):
    job, _ = _job(toy_root)
    job = replace(job, plan=_of_objects(job.plan, reach=10.0))
    theirs = _of_objects(job.plan, reach=40.0, foreground=0.7)
    model = toy_model.model(theirs, configuration="3d_fullres")
    path = str(write_bundle(model, tmp_path / "cells.zip"))

    fit = adopt_network(job, Options(init_from=path))

    changed = fit.applied(job).task.representation
    assert (changed.reach, changed.foreground) == (40.0, 0.7)
    assert fit.applied(job).store.folder == job.store.folder  # nothing is prepared anew
    assert "cells.zip" in fit.because and "network" not in fit.because
    given = {"task.representation": {"name": "flow_distance", "options": {}}}
    assert adopt_network(job, Options(init_from=path, settings=given)) is PLANNED
