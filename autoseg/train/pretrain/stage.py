"""Let a planned network learn from images alone, for a start with few annotations.

Blocks of each patch are hidden, and the network fills them in: a masked autoencoder
[1]_ of convolutions [2]_, encoder and decoder together. What it learned is a checkpoint
that `train` starts from (``init_from``).

References
----------
.. [1] He et al., "Masked autoencoders are scalable vision learners", CVPR 2022,
   arXiv:2111.06377
.. [2] Tian et al., "Designing BERT for convolutional networks", ICLR 2023,
   arXiv:2301.03580
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from autoseg.atomic import sweep_temporaries
from autoseg.datasets.identity import content_of
from autoseg.errors import TrainingError, UsageError, amount
from autoseg.spec.dataset import Case
from autoseg.spec.json import to_json
from autoseg.spec.run import Run
from autoseg.train.assemble import seconds_to_train
from autoseg.train.begin import timed
from autoseg.train.fit import PLANNED, fit_to_time
from autoseg.train.loop.checkpoint import (
    Saver,
    load_state,
    remove_state,
    save_weights,
)
from autoseg.train.loop.logbook import Logbook
from autoseg.train.loop.schedule import Clock
from autoseg.train.loop.trainer import Trainer
from autoseg.train.pretrain.images import find_images, other_images, prepare_images
from autoseg.train.pretrain.patches import HiddenPatches, Hiding
from autoseg.train.pretrain.restoring import (
    Restoring,
    restoring_network,
    without_outputs,
)
from autoseg.train.record import first_run, hardware_again
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import Job, find_job, only_one, start_again
from autoseg.train.setup.memory import check_memory
from autoseg.train.setup.options import (
    Options,
    check_same,
    resolve_recipe,
    seconds_of,
    with_changes,
)
from autoseg.train.setup.recipes import Recipe
from autoseg.workspace import CHECKPOINT_FINAL, DEFAULT_PLAN, PRETRAINED, RUN

PathLike = str | os.PathLike[str]

PROBED = 3  # steps that are timed
HIDDEN = 0.6  # of the blocks of a patch
CHECKPOINT_SECONDS = 60.0

logger = logging.getLogger(__name__)


def pretrain(
    images: PathLike,
    dataset: PathLike,
    configuration: str,
    root: PathLike | None = None,
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
    hidden: float = HIDDEN,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    keep_network: bool = False,
    overwrite: bool = False,
) -> Path:
    """Pretrain the network of a plan on images without annotation.

    One that was stopped goes on by itself.

    Parameters
    ----------
    images : path
        Folder of images, with the channels, names and endings of the data set's; or a
        BIDS data set, of which subjects that are annotated here are left out.
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``: the one with
        annotations, which is trained on afterwards.
    configuration : str
        One of the plan's, such as ``"3d_fullres"``.
    root : str or path, optional
        ROOT; see `autoseg.workspace.find_root`.
    plan : str
        Name of the plan.
    recipe, epochs, iterations, time_budget, lr, batch_size, seed, settings
        See `autoseg.train.stage.train`; one of the three lengths is needed.
    hidden : float
        Which share of a patch is hidden, between 0 and 1.
    device, precision, threads, workers, keep_network
        See `autoseg.train.stage.train`.
    overwrite : bool
        Throw away what was pretrained before.

    Returns
    -------
    Path
        The checkpoint, ``ROOT/results/DATASET/PLAN/CONFIGURATION/pretrained/
        checkpoint_final.pt``. Beside it are ``run.json``, ``log.jsonl`` and
        ``progress.png``.

    Raises
    ------
    UsageError, PlanError, DatasetError
        If what is given cannot be, or is missing.
    CaseErrors
        If images cannot be read.
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP: the same call goes on.
    """
    start = time.monotonic()
    if not 0 < hidden < 1:
        raise UsageError(f"hidden is {hidden}; give a share between 0 and 1.")
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
        compile="off",
        threads=threads,
        workers=workers,
        keep_network=keep_network,
        validation=False,
    ).of(configuration)
    job = find_job(dataset, configuration, 0, root, plan, asked)
    if job.settings.previous is not None:
        raise UsageError(
            f"{configuration} sees what {job.settings.previous} predicts, and there is "
            f"nothing of that in images alone. Pretrain {job.settings.previous}."
        )
    folder = job.model_folder / PRETRAINED
    with only_one(folder):
        sweep_temporaries(folder, alone=True)
        cases = find_images(Path(images), job)
        if overwrite or not (folder / CHECKPOINT_FINAL).is_file():
            _learn(cases, job, asked, hidden, folder, start, overwrite)
        else:
            logger.info("%s is there already; --overwrite makes it again.", folder)
            for line in other_images(cases, Run.load(folder / RUN)):
                logger.warning("%s %s", folder, line)
    return folder / CHECKPOINT_FINAL


def _learn(
    cases: Sequence[Case],
    job: Job,
    asked: Options,
    hidden: float,
    folder: Path,
    start: float,
    overwrite: bool,
) -> None:
    """Begin or go on, to the end."""
    record = folder / RUN
    is_new = overwrite or not record.is_file()
    if not is_new:
        run = Run.load(record)
        for line in other_images(cases, run):
            raise TrainingError(f"{folder} {line}")
        check_same(asked, run, str(folder))
        hardware = hardware_again(run, asked)
        job = _changed(job, {**run.overrides, **run.fitted})
        files = prepare_images(cases, job, asked.workers)
    else:
        job, run, hardware, files = _begin(cases, job, asked, hidden)
    trainer = _trainer(job, run, hardware, files, hidden)
    if is_new:
        if run.time_budget is not None:
            run = replace(run, prepared=round(time.monotonic() - start, 3))
            trainer.clock.seconds = seconds_to_train(run)
        if overwrite:  # not before all that is needed is there
            start_again(folder)
        folder.mkdir(parents=True, exist_ok=True)
        run.save(record)
    state = load_state(folder)
    if state is not None:
        trainer.load(state)
        logger.info("Going on after iteration %d.", trainer.clock.iteration)
    _fit(trainer, job, folder)


def _changed(job: Job, changes: Mapping[str, Any]) -> Job:
    changed = with_changes(job.plan, job.configuration, Options(settings=changes))
    return replace(job, plan=changed)


def _begin(
    cases: Sequence[Case], job: Job, asked: Options, hidden: float
) -> tuple[Job, Run, Hardware, list[Path]]:
    """Choose what is learned, and on what; nothing of it is recorded yet."""
    if asked.time_budget is None and not (asked.iterations or asked.epochs):
        raise UsageError("say how long: --time-budget, --iterations or --epochs.")
    hardware = choose_hardware(
        asked.device,
        precision=asked.precision,
        compile="off",
        threads=asked.threads,
        loader_threads=asked.workers,
    )
    fit = PLANNED
    if asked.time_budget is not None:
        # The network that training in such a time would get, which is timed on cases.
        fit = fit_to_time(
            job,
            asked,
            lambda tried: timed(tried, asked, hardware),
            planned_first=hardware.device.type != "cpu",
        )
        job = fit.applied(job)
    files = prepare_images(cases, job, asked.workers)
    run = replace(
        first_run(job, asked, hardware, fit),
        fold=PRETRAINED,
        split="",
        training_cases=len(files),
        validation_cases=0,
        data={case.id: content_of(case) for case in cases},
    )
    check_memory(job, run, hardware)
    if run.time_budget is not None:
        run = _with_recipe(job, run, asked, hardware, files, hidden)
    settings = job.settings
    logger.info(
        "Pretraining %s, %s, on %s: %s, patch %s, batch %d, %d %% hidden",
        run.dataset,
        job.configuration,
        amount(len(files), "image"),
        settings.network.name,
        list(settings.patch_size),
        run.batch_size,
        round(100 * hidden),
    )
    return job, run, hardware, files


def _with_recipe(
    job: Job,
    run: Run,
    asked: Options,
    hardware: Hardware,
    files: Sequence[Path],
    hidden: float,
) -> Run:
    """Return the record with the recipe for as many steps as will fit."""
    trainer = _trainer(job, run, hardware, files, hidden)
    batches, spent = trainer.loader.batches(0, PROBED), []
    with hardware.thread_limit():
        for batch in batches:
            start = time.perf_counter()
            trainer.step(batch)
            spent.append(time.perf_counter() - start)
    trainer.gradients.close()
    guess = max(1, int((run.time_budget or 0) / min(spent)))
    recipe, because, _ = resolve_recipe(asked, job.plan, job.configuration, guess)
    return replace(run, recipe=to_json(recipe.__dict__), because=because)


def _trainer(
    job: Job, run: Run, hardware: Hardware, files: Sequence[Path], hidden: float
) -> Trainer:
    recipe, settings = Recipe(**run.recipe), job.settings
    torch.manual_seed(run.seed)
    network = restoring_network(job, recipe, hardware)
    return Trainer(
        network=hardware.place(network, settings.dim),
        criterion=Restoring(),
        recipe=recipe,
        hardware=hardware,
        clock=Clock(run.iterations, seconds_to_train(run)),
        loader=HiddenPatches(
            files,
            settings.patch_size,
            run.batch_size,
            Hiding.of_patch(hidden, settings.patch_size, settings.head_stride),
            mirror_axes=settings.mirror_axes,
            seed=run.seed,
            device=hardware.device,
            threads=hardware.loader_threads,
        ),
        validate=lambda network: {},
    )


def _fit(trainer: Trainer, job: Job, folder: Path) -> None:
    logbook = Logbook(folder, trainer.clock.iteration)
    saver = Saver(folder, trainer.state, CHECKPOINT_SECONDS)
    finished = trainer.fit(logbook, saver, lambda: None)
    logbook.draw()
    if not finished:
        logger.info(
            "Stopped after iteration %d; the same command goes on from there.",
            trainer.clock.iteration,
        )
        raise KeyboardInterrupt
    save_weights(
        folder / CHECKPOINT_FINAL,
        without_outputs(trainer.network),
        job.plan,
        job.configuration,
        PRETRAINED,
    )
    remove_state(folder)
