"""Begin a training, or take it up where it was stopped."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from autoseg.errors import TrainingError, UsageError
from autoseg.preprocess.sources import contents_in_store
from autoseg.spec.json import from_json, to_json
from autoseg.spec.run import Run
from autoseg.train.assemble import make_trainer, seconds_of_a_step, seconds_to_train
from autoseg.train.data.cascade import check_previous, ensure_previous
from autoseg.train.data.loader import Batch
from autoseg.train.fit import PLANNED, Fit, fit_to_time
from autoseg.train.length import within_time
from autoseg.train.loop.checkpoint import load_state
from autoseg.train.loop.optimizer import take
from autoseg.train.loop.trainer import Trainer
from autoseg.train.pace import refuse_endless
from autoseg.train.record import (
    as_recorded,
    changed_since_begun,
    check_split,
    check_start,
    describe,
    first_run,
    hardware_again,
    tell_of_changes,
)
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import (
    Job,
    check_other_folds,
    ensure_preprocessed,
    has_checkpoint,
    start_again,
    write_model_files,
)
from autoseg.train.setup.memory import check_memory
from autoseg.train.setup.options import (
    Options,
    check_same,
    resolve_recipe,
)
from autoseg.train.setup.ranks import ONE, Ranks
from autoseg.train.start.adopt import adopt_network, gently
from autoseg.train.start.initialize import initialize
from autoseg.train.start.origin import names_of, read_origin
from autoseg.workspace import (
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    RUN,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
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


def begin(job: Job, asked: Options, ranks: Ranks = ONE) -> Begun:
    """Return a training as it is recorded, or begin the one that is asked for.

    The first of several processes does so, and the others take over what it has.

    Parameters
    ----------
    job : Job
        What the user wants trained.
    asked : Options
        How; what is not given is taken from the record, or chosen.
    ranks : Ranks
        Which of several processes this is.

    Returns
    -------
    Begun
        Where it stands.

    Raises
    ------
    UsageError, PlanError, DatasetError
        If what is given cannot be, or is missing.
    TrainingError
        If something was trained there in another way, or nobody knows how.
    """
    begun: list[Begun] = []

    def first() -> str:
        begun.append(_begin(job, asked, ranks))
        found = begun[0]
        return json.dumps({"run": to_json(found.run), "done": found.trainer is None})

    told = json.loads(ranks.told(first))
    if not begun:
        run = from_json(Run, told["run"], "the first process")
        begun.append(_followed(job, run, asked, ranks, bool(told["done"])))
    trainer = begun[0].trainer
    if trainer is not None:
        _level(trainer, ranks)
    return begun[0]


def _followed(job: Job, run: Run, asked: Options, ranks: Ranks, done: bool) -> Begun:
    """Return the training that the first process has begun or goes on with."""
    job = as_recorded(job, run)
    hardware = hardware_again(run, asked, ranks)
    trainer = None if done else make_trainer(job, run, hardware)
    return Begun(job, run, hardware, trainer)


def _level(trainer: Trainer, ranks: Ranks) -> None:
    """Let all processes start from the state of the first, and compile if wanted."""
    if ranks.count > 1:
        trainer.load(ranks.spread(trainer.state()))
    if not ranks.first:  # dropout draws from it: something else for each sample
        own = np.random.SeedSequence([ranks.number, trainer.clock.iteration])
        torch.manual_seed(int(own.generate_state(1)[0]))
    if trainer.hardware.compile:
        trainer.compile(_first_batch(trainer))


def _begin(job: Job, asked: Options, ranks: Ranks) -> Begun:
    path = job.folder / RUN
    if asked.overwrite or (asked.retrain_changed and changed_since_begun(job)):
        return _begin_new(job, replace(asked, overwrite=True), ranks)
    if path.is_file() and not _is_void(job, Run.load(path), asked, ranks):
        return _go_on(job, Run.load(path), asked, ranks)
    for name in (CHECKPOINT_FINAL, CHECKPOINT_LATEST):
        if (job.folder / name).exists() and not path.is_file():
            raise TrainingError(
                f"{job.folder} holds {name} but no {RUN}, so nobody knows how it was "
                "trained. Move it away, or give --overwrite."
            )
    return _begin_new(job, asked, ranks)


def _is_void(job: Job, recorded: Run, asked: Options, ranks: Ranks) -> bool:
    """Return whether a record binds nobody: no checkpoint, and other options now."""
    if has_checkpoint(job.folder):
        return False
    if changed_since_begun(job):
        return True
    try:
        check_same(asked, recorded, str(job.folder), ranks.count)
        check_start(asked, recorded, str(job.folder))
        check_split(job, recorded)
    except TrainingError:
        logger.info(
            "%s holds a record, but nothing that was trained: it begins anew.",
            job.folder,
        )
        return True
    return False


def _go_on(job: Job, recorded: Run, asked: Options, ranks: Ranks) -> Begun:
    """Return a training as it is recorded, where its last checkpoint left it."""
    check_same(asked, recorded, str(job.folder), ranks.count)
    check_start(asked, recorded, str(job.folder))
    job = as_recorded(job, recorded)
    write_model_files(job)
    tell_of_changes(job)
    _ensure_data(job)
    hardware = hardware_again(recorded, asked, ranks)
    if (job.folder / CHECKPOINT_FINAL).exists():
        return Begun(job, recorded, hardware, None)
    ranks.check(recorded.batch_size)
    now = replace(
        recorded,
        processes=ranks.count,
        threads=hardware.threads,
        loader_threads=hardware.loader_threads,
    )
    logger.info("%s", describe(job, now))
    trainer = _ready(job, recorded, hardware, asked, load_state(job.folder))
    return Begun(job, recorded, hardware, trainer)


def _begin_new(job: Job, asked: Options, ranks: Ranks) -> Begun:
    """Begin a training: nothing is written, or thrown away, before it can learn."""
    start = time.monotonic()
    ranks.check(asked.batch_size or job.settings.batch_size)
    hardware = choose_hardware(
        asked.device,
        precision=asked.precision,
        compile=asked.compile,
        threads=asked.threads,
        loader_threads=asked.workers,
        ranks=ranks,
    )
    _check_patience(job, asked)
    fit = adopt_network(job, asked)
    job = fit.applied(job)
    asked = gently(job, asked)
    if asked.time_budget is None:  # otherwise it is made to fit
        check_memory(job, first_run(job, asked, hardware), hardware)
    _ensure_data(job)
    if asked.time_budget is None:
        refuse_endless(job, first_run(job, asked, hardware), asked, hardware)
    if fit is PLANNED:
        fit = fit_to_time(
            job,
            asked,
            lambda tried: timed(tried, asked, hardware),
            planned_first=hardware.device.type != "cpu",
            least_batch=ranks.count,
        )
        job = fit.applied(job)
    check_other_folds(job)
    data = contents_in_store(job.store, (*job.training, *job.validation))
    run = replace(new_run(job, asked, hardware, fit), data=data)
    logger.info("%s", describe(job, run))
    trainer = _ready(job, run, hardware, asked, None)
    if run.time_budget is not None:
        run = replace(run, prepared=round(time.monotonic() - start, 3))
        trainer.clock.seconds = seconds_to_train(run)
    if asked.overwrite:
        start_again(job.folder)
    write_model_files(job)
    run.save(job.folder / RUN)
    return Begun(job, run, hardware, trainer)


def _check_patience(job: Job, asked: Options) -> None:
    """Raise if a training is to end early by scores that it will not have."""
    recipe, _, _ = resolve_recipe(asked, job.plan, job.configuration)
    if not recipe.patience:
        return
    if set(job.validation) <= set(job.training):
        raise UsageError(
            "Patience waits for better validation scores, and fold "
            f"{job.fold} holds no case back to have any. Leave patience out, or train "
            "a fold by its number."
        )
    if not recipe.validation_batches:
        raise UsageError(
            "Patience waits for better validation scores, and there are none with "
            "train.validation_batches=0."
        )


def _ready(
    job: Job,
    run: Run,
    hardware: Hardware,
    asked: Options,
    state: dict[str, Any] | None,
) -> Trainer:
    """Return a trainer that goes on from a state, or begins after a batch was drawn."""
    if run.recipe.get("freeze") and state is None and not asked.init_from:
        raise UsageError(
            f"--freeze {run.recipe['freeze']} without --init-from would keep weights "
            "that nobody trained. Give a model to start from."
        )
    trainer = make_trainer(job, run, hardware)
    if state is not None:
        trainer.load(state)
        logger.info("Going on after iteration %d.", trainer.clock.iteration)
    elif asked.init_from:
        origin = read_origin(asked.init_from)
        names = names_of(job.plan)
        found = initialize(trainer.network, origin, asked.init_from, *names)
        taken = {*found["copied"], *found["adapted"]}
        take(trainer.optimizer, trainer.network, taken, trainer.recipe)
    if state is None:
        _first_batch(trainer)
    return trainer


def _first_batch(trainer: Trainer) -> Batch:
    batches = trainer.loader.batches(0, 1)
    try:
        return next(batches)
    finally:
        batches.close()


def timed(job: Job, asked: Options, hardware: Hardware) -> float:
    """Return how long a step of a network takes that may be trained; if it fits."""
    run = first_run(job, asked, hardware)
    try:
        check_memory(job, run, hardware)
    except UsageError:
        return math.inf  # a smaller one may fit
    return seconds_of_a_step(job, run, hardware)


def _ensure_data(job: Job) -> None:
    """Make what the fold is trained on, as far as it is not there."""
    if job.settings.previous is not None:
        check_previous(job)  # before anything takes its time
    ensure_preprocessed(job)
    if job.settings.previous is not None:
        ensure_previous(job)


def new_run(job: Job, asked: Options, hardware: Hardware, fit: Fit = PLANNED) -> Run:
    """Return the record of a training that begins now."""
    run = first_run(job, asked, hardware, fit)
    hardware.ranks.check(run.batch_size)
    check_memory(job, run, hardware)
    if asked.time_budget is None:
        return run
    return within_time(job, run, asked, hardware)
