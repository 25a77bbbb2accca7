"""Which network is trained when time is short."""

import dataclasses

import pytest

from autoseg.spec.choice import Choice
from autoseg.spec.plan import as_options
from autoseg.train import fit as rules
from autoseg.train.fit import candidates, fit_to_time
from autoseg.train.setup.job import Job, write_model_files
from autoseg.train.setup.options import Options
from autoseg.workspace import Workspace

from .conftest import tiny_plan

WIDE = [32, 64, 128]


class _Dataset:
    """As much of a data set as is written beside a model."""

    name = "Toy"
    raw = {"labels": {}}
    channel_names = ("MR",)
    image_ending = annotation_ending = ".nii.gz"
    training = ()


@pytest.fixture
def job(tmp_path):
    plan = tiny_plan()
    settings = plan.configuration("3d_fullres")
    network = Choice(
        name="plain_unet",
        options=as_options(**{**settings.network.options, "features": WIDE}),
    )
    settings = dataclasses.replace(settings, network=network, batch_size=16)
    return Job(
        dataset=_Dataset(),
        workspace=Workspace(root=tmp_path, dataset="Toy"),
        plan=dataclasses.replace(plan, configurations={"3d_fullres": settings}),
        configuration="3d_fullres",
        fold="0",
        training=(),
        validation=(),
    )


def step_time(seconds_of_widest):
    """A machine whose step takes time by the widest layer and the batch."""

    def seconds(tried):
        features = tried.settings.network.options["features"]
        share = features[-1] / WIDE[-1] * tried.settings.batch_size / 16
        return seconds_of_widest * share

    return seconds


def fitted(job, seconds_of_widest, budget=1000.0, **asked):
    fit = fit_to_time(
        job, Options(time_budget=budget, **asked), step_time(seconds_of_widest)
    )
    return fit, fit.applied(job).settings


def test_a_fast_machine_trains_what_was_planned(job):
    # 1000 s at 1 s a step are the 1000 steps that are wanted.
    fit, settings = fitted(job, 1.0)

    assert (fit.changes, fit.because) == ({}, "")
    assert settings == job.settings


def test_a_task_says_how_many_steps_it_wants(job, monkeypatch):
    # 1000 s at 2 s a step are 500.
    monkeypatch.setattr(type(job.task), "wanted_steps", 500)
    assert fitted(job, 2.0)[0].changes == {}
    assert fitted(job, 2.7)[0].changes != {}


def test_a_slower_machine_takes_a_smaller_batch_first(job):
    # Two of sixteen samples take an eighth of 3 s: 2667 steps, of 2000 that are wanted.
    fit, settings = fitted(job, 3.0)

    assert settings.batch_size == 2
    assert settings.network.options["features"] == WIDE
    assert "batch_size 16 -> 2" in fit.because


def test_a_slow_machine_takes_the_widest_network_that_gets_its_steps(job):
    # At width 1/2 and batch 2 a step takes 8 / 16 = 0.5 s, at full width 1 s; steps of
    # two are wanted 2000 times, as 1000 steps of four.
    _, settings = fitted(job, 8.0)

    assert settings.batch_size == 2
    assert settings.network.options["features"] == [16, 32, 64]


def test_a_network_never_gets_thinner_than_the_least(job, caplog):
    # Nothing is fast enough: the smallest is taken, with a word.
    _, settings = fitted(job, 1000.0)

    assert settings.network.options["features"] == [8, 8, 16]
    assert settings.batch_size == 1
    assert "no more than about" in caplog.text


def test_where_the_smallest_network_is_too_slow_a_batch_is_halved_until_it_is_not(job):
    # An eighth of the width: 2 / 16 / 8 of 120 s are 1.9 s, half of it 0.94 s.
    _, settings = fitted(job, 120.0)

    assert settings.network.options["features"] == [8, 8, 16]
    assert settings.batch_size == 1

    # Half of that is 0.94 s with two: not 2000 steps, but enough not to halve it.
    assert fitted(job, 60.0)[1].batch_size == 2


def test_steps_of_a_planned_batch_are_as_many_as_the_task_wants(job):
    # Two samples are planned: a step of them takes 8 s / 16 * 2 = 1 s at full width.
    two = dataclasses.replace(job.settings, batch_size=2)
    plan = dataclasses.replace(job.plan, configurations={"3d_fullres": two})

    fit, _ = fitted(dataclasses.replace(job, plan=plan), 8.0)

    assert fit.changes == {}


def test_a_batch_is_not_smaller_than_the_number_of_processes(job):
    fit = fit_to_time(job, Options(time_budget=1.0), step_time(1000.0), least_batch=2)

    assert fit.applied(job).settings.batch_size == 2


def test_a_network_that_normalizes_by_batches_keeps_its_batch(job):
    settings = job.settings
    options = as_options(**{**settings.network.options, "norm": "batch"})
    network = Choice(name="plain_unet", options=options)
    settings = dataclasses.replace(settings, network=network)
    plan = dataclasses.replace(job.plan, configurations={"3d_fullres": settings})

    _, settings = fitted(dataclasses.replace(job, plan=plan), 1000.0)

    assert settings.batch_size == 4


def test_what_was_given_by_hand_stays(job):
    _, settings = fitted(job, 8.0, batch_size=8)
    assert settings.network.options["features"] == [8, 16, 32]  # 8 s / 4 * 8 / 16 = 1 s

    given = {"network.features": WIDE}
    _, settings = fitted(job, 8.0, settings=given)
    assert settings.network.options["features"] == WIDE
    assert settings.batch_size == 2

    _, settings = fitted(job, 1000.0, batch_size=8)
    assert settings.batch_size == 8


@pytest.mark.parametrize("asked", [{"keep_network": True}, {"init_from": "model"}])
def test_a_network_that_must_stay_is_not_even_timed(job, asked):
    def never(tried):
        raise RuntimeError("timed")

    assert fit_to_time(job, Options(time_budget=1.0, **asked), never).changes == {}
    assert fit_to_time(job, Options(iterations=5), never).changes == {}


def test_all_folds_of_a_model_get_the_network_of_the_first(job):
    _, settings = fitted(job, 8.0)
    first = dataclasses.replace(
        job,
        plan=dataclasses.replace(job.plan, configurations={"3d_fullres": settings}),
    )
    first.folder.mkdir(parents=True)
    write_model_files(first)
    second = dataclasses.replace(job, fold="1")

    fit, again = fitted(second, 0.001)  # however fast the machine is now

    assert again == settings
    assert fit.because == "as fold_0"


def test_timing_stops_where_a_wider_network_cannot_fit(job):
    timed = []

    def slow(tried):
        settings = tried.settings
        timed.append((settings.network.options["features"], settings.batch_size))
        return step_time(1000.0)(tried)

    fit_to_time(job, Options(time_budget=1000.0), slow)

    # Wider ones would take minutes to be timed.
    assert timed == [([8, 8, 16], batch) for batch in (2, 1)]


def test_a_gpu_times_what_is_planned_first(job):
    timed = []

    def fast(tried):
        timed.append(tried.settings.network.options["features"])
        return 0.5

    fit = fit_to_time(job, Options(time_budget=1000.0), fast, planned_first=True)

    assert (fit.changes, timed) == ({}, [WIDE])


def test_candidates_go_from_fast_to_planned(job):
    found = candidates(job, Options(time_budget=1.0))

    assert found[0] == {"network.features": [8, 8, 16], "batch_size": 2}
    assert found[-1] == {"network.features": WIDE, "batch_size": 16}
    assert len(found) == len(rules.SHARES) + 1
