"""Train one fold of a configuration, or go on where it was stopped."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from autoseg.errors import TrainingError, UsageError
from autoseg.networks.build import build_network
from autoseg.spec.json import to_json
from autoseg.spec.run import Run
from autoseg.train.after.duration import validation_seconds
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.assemble import make_trainer, seconds_of_a_step
from autoseg.train.data.cascade import ensure_previous
from autoseg.train.data.loader import Batch
from autoseg.train.fit import PLANNED, Fit, fit_to_time
from autoseg.train.initialize import initialize, read_weights
from autoseg.train.loop.checkpoint import Saver, load_state, remove_state, save_weights
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.trainer import Trainer
from autoseg.train.record import (
    as_recorded,
    check_split,
    describe,
    first_run,
    hardware_again,
)
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import (
    Job,
    check_other_folds,
    ensure_preprocessed,
    find_job,
    has_checkpoint,
    only_one,
    start_again,
    write_model_files,
)
from autoseg.train.setup.memory import check_memory
from autoseg.train.setup.options import (
    Options,
    check_same,
    resolve_recipe,
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
MOST_RESERVED = 0.5  # of a time budget


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
    check_network(job)
    with only_one(job.folder):
        begun = _begin(job, asked)
        if begun.trainer is None:
            logger.info(
                "%s is trained already; --overwrite trains it again.", job.folder
            )
        else:
            _fit(begun, begun.trainer, asked)
        if asked.validation:
            validate_fold(begun.job, str(begun.hardware.device))
    return job.folder


def check_network(job: Job) -> None:
    """Raise if what is to be trained describes no network.

    Raises
    ------
    PlanError, PluginError
        If an option does not exist, or has a value that cannot be.
    """
    with torch.device("meta"):  # takes neither time nor memory
        build_network(job.plan, job.configuration)


@dataclass(frozen=True)
class _Begun:
    """A training that can go on: as it is recorded, with all that it needs.

    Parameters
    ----------
    job : Job
        As it is trained.
    run : Run
        The record.
    hardware : Hardware
        What it is trained on.
    trainer : Trainer or None
        Where training stands; None: at its end.
    """

    job: Job
    run: Run
    hardware: Hardware
    trainer: Trainer | None


def _begin(job: Job, asked: Options) -> _Begun:
    """Return a training as it is recorded, or begin the one that is asked for."""
    path = job.folder / RUN
    if asked.overwrite:
        return _begin_new(job, asked)
    if path.is_file() and not _is_void(job, Run.load(path), asked):
        return _go_on(job, Run.load(path), asked)
    for name in (CHECKPOINT_FINAL, CHECKPOINT_LATEST):
        if (job.folder / name).exists() and not path.is_file():
            raise TrainingError(
                f"{job.folder} holds {name} but no {RUN}, so nobody knows how it was "
                "trained. Move it away, or give --overwrite."
            )
    return _begin_new(job, asked)


def _is_void(job: Job, recorded: Run, asked: Options) -> bool:
    """Return whether a record binds nobody: no checkpoint, and other options now."""
    if has_checkpoint(job.folder):
        return False
    try:
        check_same(asked, recorded, str(job.folder))
        check_split(job, recorded)
    except TrainingError:
        logger.info(
            "%s holds a record, but nothing that was trained: it begins anew.",
            job.folder,
        )
        return True
    return False


def _go_on(job: Job, recorded: Run, asked: Options) -> _Begun:
    """Return a training as it is recorded, where its last checkpoint left it."""
    check_same(asked, recorded, str(job.folder))
    job = as_recorded(job, recorded)
    _ensure_data(job)
    hardware = hardware_again(recorded, asked)
    if (job.folder / CHECKPOINT_FINAL).exists():
        return _Begun(job, recorded, hardware, None)
    logger.info("%s", describe(job, recorded))
    trainer = _ready(job, recorded, hardware, asked, load_state(job.folder))
    return _Begun(job, recorded, hardware, trainer)


def _begin_new(job: Job, asked: Options) -> _Begun:
    """Begin a training: nothing is written, or thrown away, before it can learn."""
    hardware = choose_hardware(
        asked.device,
        precision=asked.precision,
        compile=asked.compile,
        threads=asked.threads,
        loader_threads=asked.workers,
    )
    if asked.time_budget is None:  # otherwise it is made to fit
        check_memory(job, first_run(job, asked, hardware), hardware)
    _ensure_data(job)
    fit = fit_to_time(
        job,
        asked,
        lambda tried: _timed(tried, asked, hardware),
        planned_first=hardware.device.type != "cpu",
    )
    job = fit.applied(job)
    check_other_folds(job)
    run = _new_run(job, asked, hardware, fit)
    logger.info("%s", describe(job, run))
    trainer = _ready(job, run, hardware, asked, None)
    if asked.overwrite:
        start_again(job.folder)
    write_model_files(job)
    run.save(job.folder / RUN)
    return _Begun(job, run, hardware, trainer)


def _ready(
    job: Job,
    run: Run,
    hardware: Hardware,
    asked: Options,
    state: dict[str, Any] | None,
) -> Trainer:
    """Return a trainer that goes on from a state, or begins after a batch was drawn."""
    trainer = make_trainer(job, run, hardware)
    if state is not None:
        trainer.load(state)
        logger.info("Going on after iteration %d.", trainer.clock.iteration)
    elif asked.init_from:
        initialize(trainer.network, read_weights(asked.init_from), asked.init_from)
    if state is None or hardware.compile:
        batch = _first_batch(trainer)
        if hardware.compile:
            trainer.compile(batch)
    return trainer


def _first_batch(trainer: Trainer) -> Batch:
    batches = trainer.loader.batches(0, 1)
    try:
        return next(batches)
    finally:
        batches.close()


def _timed(job: Job, asked: Options, hardware: Hardware) -> float:
    """Return how long a step of a network takes that may be trained."""
    run = first_run(job, asked, hardware)
    try:
        check_memory(job, run, hardware)
    except UsageError:
        return math.inf  # a smaller one may fit
    return seconds_of_a_step(job, run, hardware)


def _ensure_data(job: Job) -> None:
    """Make what the fold is trained on, as far as it is not there."""
    if job.settings.previous is not None:
        ensure_previous(job)
    ensure_preprocessed(job)


def _new_run(job: Job, asked: Options, hardware: Hardware, fit: Fit = PLANNED) -> Run:
    """Return the record of a training that begins now."""
    run = first_run(job, asked, hardware, fit)
    check_memory(job, run, hardware)
    if asked.time_budget is None:
        return run
    return _within_time(job, run, asked, hardware)


def _within_time(job: Job, run: Run, asked: Options, hardware: Hardware) -> Run:
    """Choose recipe and time for validation from a measurement of a few steps."""
    step = seconds_of_a_step(job, run, hardware)
    budget = float(run.time_budget or 0)
    reserved = 0.0
    if asked.validation:
        reserved = validation_seconds(job, step / run.batch_size * FORWARD_SHARE)
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


def _fit(begun: _Begun, trainer: Trainer, asked: Options) -> None:
    job = begun.job
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
