"""Train one fold of a configuration, or go on where it was stopped."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from autoseg.atomic import sweep, sweep_temporaries
from autoseg.errors import TrainingError, UsageError
from autoseg.networks.build import build_network
from autoseg.preprocess.sources import contents_in_store
from autoseg.spec.run import Run
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.assemble import make_trainer, seconds_of_a_step
from autoseg.train.data.cascade import ensure_previous
from autoseg.train.data.loader import Batch
from autoseg.train.fit import PLANNED, Fit, fit_to_time
from autoseg.train.initialize import initialize, read_weights
from autoseg.train.length import within_time
from autoseg.train.loop.checkpoint import Saver, load_state, remove_state, save_weights
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.trainer import Trainer
from autoseg.train.record import (
    as_recorded,
    changed_since_begun,
    check_split,
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
    seconds_of,
)
from autoseg.workspace import (
    CHECKPOINT_BEST,
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    DEFAULT_PLAN,
    PROGRESS,
    RUN,
)

logger = logging.getLogger(__name__)


def train(
    dataset: str | os.PathLike[str],
    configuration: str,
    fold: int | str,
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    recipe: str | None = None,
    epochs: int | None = None,
    iterations: int | None = None,
    time_budget: float | str | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    precision: str = "auto",
    compile: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    init_from: str | os.PathLike[str] | None = None,
    keep_network: bool = False,
    overwrite: bool = False,
    retrain_changed: bool = False,
    extend_splits: str | None = None,
    validation: bool = True,
    checkpoint_seconds: float = 60.0,
) -> Path:
    """Train one fold; a training that was stopped goes on by itself.

    What is not given is chosen, or taken from the record of the training that goes on.

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
    recipe : str, optional
        ``"nnunet"``, ``"fast"`` or ``"auto"``; by default the plan's.
    epochs, iterations : int, optional
        Length of the training, one or the other.
    time_budget : float or str, optional
        Instead of a length: seconds, or a text such as ``"2h30m"``, after which
        training and validation are to be over.
    lr : float, optional
        Highest learning rate.
    batch_size : int, optional
        Patches in one iteration; by default the plan's.
    seed : int, optional
        Of all random numbers; 0 if not given.
    settings : mapping of str to JSON value, optional
        Any other number, by the keys of `autoseg.spec.settings.keys`, as in
        ``{"train.momentum": 0.9, "network.features": [8, 16, 32]}``.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
    precision : str
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``: of the network's layers.
    compile : str
        ``"auto"``, ``"on"`` or ``"off"``: whether torch.compile is used.
    threads, workers : int, optional
        Threads of an operation on the CPU, and of the loader.
    init_from : path, optional
        A model, or a checkpoint of one, whose weights to start from.
    keep_network : bool
        With a time budget, train network and batch as planned even if few iterations
        fit.
    overwrite : bool
        Throw away what was trained before.
    retrain_changed : bool
        Throw it away if its data have changed since.
    extend_splits : str, optional
        ``"folds"`` or ``"train"``: how cases that are in no fold yet join; see
        `autoseg.preprocess.extend.extend_splits`.
    validation : bool
        Predict and score the fold's validation cases at the end.
    checkpoint_seconds : float
        A checkpoint is written no more often than this.

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
        After Ctrl-C, SIGTERM or SIGHUP: the checkpoint is written, and the same call
        goes on.
    """
    asked = Options(
        recipe=recipe,
        epochs=epochs,
        iterations=iterations,
        time_budget=seconds_of(time_budget),
        lr=lr,
        batch_size=batch_size,
        seed=seed,
        settings=settings or {},
        device=device,
        precision=precision,
        compile=compile,
        threads=threads,
        workers=workers,
        init_from=None if init_from is None else os.fspath(init_from),
        keep_network=keep_network,
        overwrite=overwrite,
        retrain_changed=retrain_changed,
        extend_splits=extend_splits,
        validation=validation,
        checkpoint_seconds=checkpoint_seconds,
    ).of(configuration)
    job = find_job(dataset, configuration, fold, root, plan, asked)
    check_network(job)
    with only_one(job.folder):
        _train_alone(job, asked)
    return job.folder


def _train_alone(job: Job, asked: Options) -> None:
    """Train and validate a fold that nobody else is training."""
    sweep_temporaries(job.folder, alone=True)
    sweep([job.folder / PROGRESS])
    begun = _begin(job, asked)
    if begun.trainer is None:
        logger.info("%s is trained already; --overwrite trains it again.", job.folder)
    else:
        _fit(begun, begun.trainer, asked)
    if asked.validation:
        # Also on cases that joined the fold after it was trained.
        whole = replace(begun.job, validation=job.validation)
        validate_fold(whole, str(begun.hardware.device))


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
    if asked.overwrite or (asked.retrain_changed and changed_since_begun(job)):
        return _begin_new(job, replace(asked, overwrite=True))
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
    if changed_since_begun(job):
        return True
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
    tell_of_changes(job)
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
    data = contents_in_store(job.store, (*job.training, *job.validation))
    run = replace(_new_run(job, asked, hardware, fit), data=data)
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
    return within_time(job, run, asked, hardware)


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
