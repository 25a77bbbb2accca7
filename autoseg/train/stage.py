"""Train one fold of a configuration, or go on where it was stopped."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from autoseg.atomic import sweep, sweep_temporaries
from autoseg.networks.build import build_network
from autoseg.spec.json import to_json
from autoseg.train.after.final_validation import validate_fold
from autoseg.train.after.rehearsal import CHECKPOINT, rehearse
from autoseg.train.begin import Begun, begin
from autoseg.train.elsewhere import train_one
from autoseg.train.launch import devices_of, train_together
from autoseg.train.loggers.base import Subject
from autoseg.train.loop.checkpoint import (
    Saver,
    copy_weights,
    remove_state,
    save_weights,
)
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.trainer import Trainer
from autoseg.train.setup.job import Job, find_job, only_one
from autoseg.train.setup.joined import joined
from autoseg.train.setup.options import Options, seconds_of
from autoseg.train.setup.ranks import Ranks, device_here, is_one_of_several
from autoseg.train.telling import Telling, check_loggers, telling
from autoseg.workspace import (
    CHECKPOINT_BEST,
    CHECKPOINT_FINAL,
    DEFAULT_PLAN,
    PROGRESS,
)
from planners.beside import plan_beside

logger = logging.getLogger(__name__)


def train(
    dataset: str | os.PathLike[str],
    configuration: str,
    fold: int | str,
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    network: str | None = None,
    recipe: str | None = None,
    epochs: int | None = None,
    iterations: int | None = None,
    time_budget: float | str | None = None,
    patience: float | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    processes: int | None = None,
    precision: str = "auto",
    compile: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    max_memory: float | None = None,
    init_from: str | os.PathLike[str] | None = None,
    freeze: str | None = None,
    keep_network: bool = False,
    overwrite: bool = False,
    retrain_changed: bool = False,
    extend_splits: str | None = None,
    validation: bool = True,
    to_predict: int = 0,
    checkpoint_seconds: float = 60.0,
    cluster: str | None = None,
    log: Sequence[str] = (),
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
    network : str, optional
        Another network than the plan's; it is trained beside it, by a plan of its own
        that is made in the same way: see `planners.beside.plan_beside`.
    recipe : str, optional
        ``"nnunet"``, ``"fast"``, ``"adamw"`` or ``"auto"``; by default the plan's.
    epochs, iterations : int, optional
        Length of the training, one or the other.
    time_budget : float or str, optional
        Instead of a length: seconds, or a text such as ``"2h30m"``, after which
        training and validation are to be over.
    patience : float, optional
        End early when the validation score has got no better for so many epochs, or,
        below 1, for this share of the training; the weights are the best ones then. By
        default training goes on to its end.
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
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``; or several, as in
        ``"cuda:0,cuda:1"``, on which as many processes train together.
    processes : int, optional
        How many train together, each with a share of every batch. By default one for
        each device. A process that was started as one of several, as torchrun does,
        joins the others in any case.
    precision : str
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``: of the network's layers.
    compile : str
        ``"auto"``, ``"on"`` or ``"off"``: whether torch.compile is used.
    threads, workers : int, optional
        Threads of an operation on the CPU, and of the loader, of each process.
    max_memory : float, optional
        GB that preparing cases before the training and predicting them after it may
        take; by default four fifths of what is free. The training's own memory is the
        plan's.
    init_from : path, optional
        A model, or a checkpoint of one, whose weights to start from.
    freeze : str, optional
        ``"encoder"``: what was taken for this part of the network stays as it is.
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
    to_predict : int
        New images that somebody predicts afterwards: a time budget keeps the time, too,
        that this network will take for them, as for so many validation cases.
    checkpoint_seconds : float
        A checkpoint is written no more often than this.
    cluster : str, optional
        Which Dask cluster trains it, on one of its workers; see docs/cluster.md.
    log : sequence of str
        ``"tensorboard"``, ``"mlflow"`` or ``"wandb"``: who is told of its numbers, too.
        A training that goes on goes on telling them.

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
    plan, network = plan_beside(dataset, root, plan, network), None
    given = {name: value for name, value in locals().items() if name != "cluster"}
    names = devices_of(device, processes)
    asked = _asked(given, device_here(names)).of(configuration)
    find = partial(find_job, dataset, configuration, fold, root, plan, asked)
    if cluster is not None:
        return train_one(find(), given, cluster)
    if len(names) > 1 and not is_one_of_several():
        return train_together(train, given, names)
    return _train_here(find, asked)


def _asked(given: Mapping[str, Any], device: str) -> Options:
    """Return what is asked for, among the arguments of `train`."""
    own = {field.name: given[field.name] for field in fields(Options)}
    start = own["init_from"]
    return Options(
        **{
            **own,
            "time_budget": seconds_of(own["time_budget"]),
            "settings": own["settings"] or {},
            "device": device,
            "init_from": None if start is None else os.fspath(start),
            "log": tuple(own["log"]),
        }
    )


def _train_here(find: Callable[[], Job], asked: Options) -> Path:
    """Train in this process, be it alone or one of several."""
    asked = replace(asked, log=check_loggers(asked.log))
    with joined(asked.device) as ranks:
        job = ranks.led(find)
        check_network(job)
        with only_one(job.folder) if ranks.first else nullcontext():
            _train_alone(job, asked, ranks)
    return job.folder


def _train_alone(job: Job, asked: Options, ranks: Ranks) -> None:
    """Train and validate a fold that nobody else is training."""
    if ranks.first:
        sweep_temporaries(job.folder, alone=True)
        sweep([job.folder / PROGRESS])
    begun = begin(job, asked, ranks)
    # Also on cases that joined the fold after it was trained.
    whole = replace(begun.job, validation=job.validation)
    if begun.trainer is None:
        logger.info("%s is trained already; --overwrite trains it again.", job.folder)
        if asked.validation:
            validate_fold(whole, str(begun.hardware.device), ranks)
        return
    clock = begun.trainer.clock
    with _told(begun, asked, clock.iteration) if ranks.first else nullcontext() as told:
        _fit(begun, begun.trainer, asked, ranks, told)
        if asked.validation:
            summary = validate_fold(whole, str(begun.hardware.device), ranks)
            if told is not None:
                told.scores(clock.iteration, summary)


def _told(
    begun: Begun, asked: Options, iteration: int
) -> AbstractContextManager[Telling]:
    """Return the loggers that are told of a training."""
    job = begun.job
    subject = Subject(
        folder=job.folder,
        dataset=job.dataset.name,
        plan=job.plan.name,
        configuration=job.configuration,
        fold=job.fold,
        settings=to_json(begun.run),
        iteration=iteration,
    )
    return telling(subject, asked.log)


def check_network(job: Job) -> None:
    """Raise if what is to be trained describes no network.

    Raises
    ------
    PlanError, PluginError
        If an option does not exist, or has a value that cannot be.
    """
    with torch.device("meta"):  # takes neither time nor memory
        build_network(job.plan, job.configuration)


def _fit(
    begun: Begun,
    trainer: Trainer,
    asked: Options,
    ranks: Ranks,
    told: Telling | None,
) -> None:
    job = begun.job
    # The others have a logbook and a saver, too, and never write.
    logbook = Logbook(job.folder, trainer.clock.iteration, kept=ranks.first)
    if told is not None:
        logbook.tell = told.entry

    def keep(name: str) -> None:
        weights = trainer.network.state_dict()
        save_weights(job.folder / name, weights, job.plan, job.configuration, job.fold)

    if asked.validation and ranks.count == 1:
        trainer.rehearse = _rehearsal(begun, asked.to_predict, keep, logbook.draw)
    saver = Saver(job.folder, trainer.state, asked.checkpoint_seconds)
    finished = trainer.fit(logbook, saver, lambda: keep(CHECKPOINT_BEST))
    if ranks.first:
        logbook.draw()
    if not finished:
        logger.info(
            "Stopped after iteration %d; the same command goes on from there.",
            trainer.clock.iteration,
        )
        raise KeyboardInterrupt
    if ranks.first:
        if trainer.early.reached:
            logger.info(
                "Training ends early: %s. %s has the weights of epoch %d.",
                trainer.early,
                CHECKPOINT_FINAL,
                trainer.early.epoch,
            )
            copy_weights(job.folder / CHECKPOINT_BEST, job.folder / CHECKPOINT_FINAL)
        else:
            keep(CHECKPOINT_FINAL)
        remove_state(job.folder)


def _rehearsal(
    begun: Begun,
    to_predict: int,
    keep: Callable[[str], None],
    draw: Callable[[], None],
) -> Callable[[], float | None] | None:
    """Return what finds out how many seconds of a time budget are left to train in."""
    job, run = begun.job, begun.run
    if run.time_budget is None:
        return None
    budget = run.time_budget

    def rehearse_end() -> float | None:
        start = time.perf_counter()
        keep(CHECKPOINT)
        draw()
        beside = time.perf_counter() - start
        try:
            seconds = rehearse(job, str(begun.hardware.device), to_predict)
        finally:
            (job.folder / CHECKPOINT).unlink(missing_ok=True)
        return None if seconds is None else budget - run.prepared - seconds - beside

    return rehearse_end
