"""Train one fold of a configuration, or go on where it was stopped."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from pathlib import Path
from typing import Any

from autoseg.errors import TrainingError
from autoseg.parallel import default_workers
from autoseg.predict.backends.choose import step_size_of
from autoseg.spec.json import to_json
from autoseg.spec.run import Run
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.after.tuning import MOST_VOXELS, cases_to_tune
from autoseg.train.assemble import make_trainer, seconds_of_a_step
from autoseg.train.data.cascade import ensure_previous
from autoseg.train.fit import PLANNED, Fit, fit_to_time
from autoseg.train.initialize import hash_weights, initialize, read_weights
from autoseg.train.loop.checkpoint import Saver, load_state, remove_state, save_weights
from autoseg.train.loop.logbook import Logbook
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import (
    Job,
    ensure_preprocessed,
    find_job,
    only_one,
    start_again,
    write_model_files,
)
from autoseg.train.setup.options import (
    Options,
    check_same,
    resolve_recipe,
    split_hash,
    versions,
    with_changes,
)
from autoseg.workspace import (
    CHECKPOINT_BEST,
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    DEFAULT_PLAN,
    RUN,
)

logger = logging.getLogger(__name__)

# A window is predicted without a backward pass, which takes two thirds of a step.
FORWARD_SHARE = 1 / 3
CASE_SECONDS = 0.5  # to read, write and score a validation case
DECODING_SECONDS = 2e-5  # of tuning a voxel: some forty times decoded and counted
MOST_RESERVED = 0.5  # of a time budget
FEW = 1  # iteration: as long as a training is taken to be before a step was timed


def train(
    dataset: str | os.PathLike[str],
    configuration: str,
    fold: int | str,
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    **options: Any,
) -> Path:
    """Train one fold; a training that was stopped goes on by itself.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    configuration : str
        One of the plan's, such as ``"3d_fullres"``.
    fold : int or str
        Its number, or ``"all"``.
    root : str or path, optional
        ROOT; see `autoseg.workspace.find_root`.
    plan : str
        Name of the plan.
    **options
        See `autoseg.train.setup.options.Options`. What is not given is chosen, or taken
        from the record of the training that goes on.

    Returns
    -------
    Path
        The fold's folder: ``checkpoint_final.pt``, ``checkpoint_best.pt``,
        ``run.json``, ``log.jsonl``, ``progress.png`` and ``validation/``.

    Raises
    ------
    UsageError, PlanError, DatasetError
        If what is given cannot be, or is missing.
    TrainingError
        If training cannot go on; the last checkpoint stays.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM: the checkpoint is written, and the same call goes on.
    """
    asked = Options(**options).of(configuration)
    job = find_job(dataset, configuration, fold, root, plan, asked)
    with only_one(job.folder):
        if asked.overwrite:
            start_again(job.folder)
        job, run, hardware = _begin(job, asked)
        if (job.folder / CHECKPOINT_FINAL).exists():
            logger.info(
                "%s is trained already; --overwrite trains it again.", job.folder
            )
        else:
            _fit(job, run, hardware, asked)
        if asked.validation:
            validate_fold(job, str(hardware.device))
    return job.folder


def _begin(job: Job, asked: Options) -> tuple[Job, Run, Hardware]:
    """Return the run, either as it is recorded or as it is asked for now."""
    path = job.folder / RUN
    if path.is_file():
        recorded = Run.load(path)
        check_same(asked, recorded, str(job.folder))
        job = _as_recorded(job, recorded)
        _ensure_data(job)
        return job, recorded, _hardware_again(recorded, asked)
    for name in (CHECKPOINT_FINAL, CHECKPOINT_LATEST):
        if (job.folder / name).exists():
            raise TrainingError(
                f"{job.folder} holds {name} but no {RUN}, so nobody knows how it was "
                "trained. Move it away, or give --overwrite."
            )
    _ensure_data(job)
    hardware = choose_hardware(
        asked.device,
        precision=asked.precision,
        compile=asked.compile,
        threads=asked.threads,
        loader_threads=asked.workers,
    )
    fit = fit_to_time(
        job,
        asked,
        lambda tried: _timed(tried, asked, hardware),
        planned_first=hardware.device.type != "cpu",
    )
    job = fit.applied(job)
    run = _new_run(job, asked, hardware, fit)
    write_model_files(job)
    run.save(path)
    return job, run, hardware


def _timed(job: Job, asked: Options, hardware: Hardware) -> float:
    """Return how long a step of a network takes that may be trained."""
    run = _first_run(job, asked, hardware)
    return seconds_of_a_step(job, run, hardware)


def _ensure_data(job: Job) -> None:
    """Make what the fold is trained on, as far as it is not there."""
    if job.settings.previous is not None:
        ensure_previous(job)
    ensure_preprocessed(job)


def _as_recorded(job: Job, recorded: Run) -> Job:
    """Return the job with what an earlier command changed in the plan."""
    if recorded.split != split_hash(job.training, job.validation):
        raise TrainingError(
            f"{job.folder} was trained on other cases than fold {job.fold} has now: "
            "the data set or its splits changed. Put splits.json back, or give "
            "--overwrite."
        )
    if recorded.versions != versions():
        logger.info(
            "Started with %s; the last digits may differ with other versions.",
            ", ".join(f"{k} {v}" for k, v in recorded.versions.items()),
        )
    changes = Options(settings={**recorded.overrides, **recorded.fitted})
    job = dataclasses.replace(
        job, plan=with_changes(job.plan, job.configuration, changes)
    )
    write_model_files(job)
    return job


def _hardware_again(recorded: Run, asked: Options) -> Hardware:
    """Return the hardware that a training began on, or the one asked for now."""
    if asked.device != "auto" and asked.device.partition(":")[0] != recorded.device:
        logger.warning(
            "This training began on %s and goes on on %s: the weights will not be "
            "exactly those of an uninterrupted one.",
            recorded.device,
            asked.device,
        )
        return choose_hardware(asked.device, threads=recorded.threads)
    device = recorded.device if asked.device == "auto" else asked.device
    same = choose_hardware(
        device,
        precision=recorded.precision,
        compile="on" if recorded.compiled else "off",
        threads=recorded.threads,
        loader_threads=recorded.loader_threads,
    )
    return dataclasses.replace(same, channels_last=recorded.channels_last)


def _new_run(job: Job, asked: Options, hardware: Hardware, fit: Fit = PLANNED) -> Run:
    """Return the record of a training that begins now."""
    run = _first_run(job, asked, hardware, fit)
    if asked.time_budget is None:
        return run
    return _within_time(job, run, asked, hardware)


def _first_run(job: Job, asked: Options, hardware: Hardware, fit: Fit = PLANNED) -> Run:
    """Return the record of a training as far as it follows from what is asked for.

    With a time budget, its recipe is that of a short training. Steps are timed with it,
    because its optimizer can take as long as the network does.
    """
    seed = asked.seed or 0
    batch = asked.batch_size or job.settings.batch_size
    recipe, because, iterations = resolve_recipe(asked, job.plan, FEW)
    return Run(
        dataset=job.dataset.name,
        plan=job.plan.name,
        configuration=job.configuration,
        fold=job.fold,
        recipe=to_json(recipe.__dict__),
        because=because,
        iterations=iterations,
        time_budget=asked.time_budget,
        batch_size=batch,
        seed=seed,
        device=hardware.device.type,
        precision=hardware.precision,
        channels_last=hardware.channels_last,
        compiled=hardware.compile,
        threads=hardware.threads,
        loader_threads=hardware.loader_threads,
        overrides=to_json(asked.plan_changes),
        fitted=to_json(fit.changes),
        fitted_because=fit.because,
        training_cases=len(job.training),
        validation_cases=len(job.validation),
        split=split_hash(job.training, job.validation),
        init_from=asked.init_from and hash_weights(read_weights(asked.init_from)),
        versions=versions(),
    )


def _within_time(job: Job, run: Run, asked: Options, hardware: Hardware) -> Run:
    """Choose recipe and time for validation from a measurement of a few steps."""
    step = seconds_of_a_step(job, run, hardware)
    budget = float(run.time_budget or 0)
    reserved = 0.0
    if asked.validation:
        reserved = _validation_seconds(job, step / run.batch_size * FORWARD_SHARE)
    if reserved > MOST_RESERVED * budget:
        logger.warning(
            "Predicting the %d validation cases will take about %.0f s, more than half "
            "of the time budget; half is kept for training. --no-validation skips it.",
            len(job.validation),
            reserved,
        )
        reserved = MOST_RESERVED * budget
    guess = max(1, int((budget - reserved) / step))
    recipe, because, _ = resolve_recipe(asked, job.plan, guess)
    logger.info(
        "One iteration takes about %.3f s, so about %d fit; %.0f s are kept for "
        "validation.",
        step,
        guess,
        reserved,
    )
    return dataclasses.replace(
        run, recipe=to_json(recipe.__dict__), because=because, reserved=reserved
    )


def _validation_seconds(job: Job, window: float) -> float:
    """Return the expected time of predicting and scoring the validation cases."""
    patch, store, step = job.settings.patch_size, job.store, step_size_of(job.task)
    windows = 0
    for case in job.validation:
        shape = store.open(case).shape
        count = 1
        for size, edge in zip(shape[-len(patch) :], patch, strict=True):
            count *= math.ceil(max(0, size - edge) / (edge * step)) + 1
        windows += count * math.prod(shape[: len(shape) - len(patch)])
    mirrored = 0 if job.task.sturdy else len(job.settings.mirror_axes)
    seconds = windows * 2**mirrored * window + CASE_SECONDS * len(job.validation)
    return seconds + _tuning_seconds(job)


def _tuning_seconds(job: Job) -> float:
    """Return the expected time of tuning how outputs are decoded."""
    if not job.task.tunable or job.fold == "all":
        return 0.0
    cases = cases_to_tune(job.validation)
    voxels = sum(math.prod(job.store.open(case).shape[1:]) for case in cases)
    return DECODING_SECONDS * min(voxels, MOST_VOXELS) / default_workers()


def _fit(job: Job, run: Run, hardware: Hardware, asked: Options) -> None:
    logger.info("%s", describe(job, run))
    trainer = make_trainer(job, run, hardware)
    state = load_state(job.folder)
    if state is not None:
        trainer.load(state)
        logger.info("Going on after iteration %d.", trainer.clock.iteration)
    elif asked.init_from:
        initialize(trainer.network, read_weights(asked.init_from), asked.init_from)
    if hardware.compile:
        trainer.compile(next(trainer.loader.batches(0, 1)))
    logbook = Logbook(job.folder, trainer.clock.iteration)

    def keep(name: str) -> None:
        weights = trainer.network.state_dict()
        save_weights(job.folder / name, weights, job.plan, job.configuration, job.fold)

    saver = Saver(job.folder, trainer.state, asked.checkpoint_seconds)
    finished = trainer.fit(logbook, saver, lambda: keep(CHECKPOINT_BEST))
    logbook.draw()
    if not finished:
        logger.info(
            "Stopped after iteration %d; the same command goes on from there.",
            trainer.clock.iteration,
        )
        raise KeyboardInterrupt
    keep(CHECKPOINT_FINAL)
    remove_state(job.folder)


def describe(job: Job, run: Run) -> str:
    """Return what will be trained, in a few lines for a person."""
    recipe = run.recipe
    length = (
        f"{run.iterations} iterations"
        if run.iterations is not None
        else f"{run.time_budget:.0f} s"
    )
    settings = job.settings
    fitted = ""
    if run.fitted:
        fitted = f"  made to fit the time: {run.fitted_because}\n"
    return (
        f"Training {run.dataset}, {run.configuration}, fold {run.fold}: "
        f"{run.training_cases} cases, {run.validation_cases} to validate\n"
        f"  recipe {recipe['name']} ({run.because}): {recipe['optimizer']}, "
        f"learning rate {recipe['learning_rate']:g}, {recipe['schedule']}, {length}\n"
        f"  {settings.network.name}, patch {list(settings.patch_size)}, batch "
        f"{run.batch_size}, seed {run.seed}\n{fitted}"
        f"  {run.device}, {run.precision}{', channels last' * run.channels_last}, "
        f"{run.threads} threads, {run.loader_threads} for loading"
    )
