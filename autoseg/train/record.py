"""The record of a training: made when it begins, held to when it goes on."""

from __future__ import annotations

import dataclasses
import logging
import textwrap

from autoseg.errors import AutosegError, TrainingError, amount
from autoseg.evaluate.summary import WIDTH
from autoseg.preprocess.extend import earlier_splits
from autoseg.spec.json import to_json
from autoseg.spec.run import Run
from autoseg.spec.settings.recipe import Recipe
from autoseg.spec.settings.recipes import in_words
from autoseg.train.fit import PLANNED, Fit
from autoseg.train.loop.early import EarlyEnd
from autoseg.train.setup.changed import changed_folds, sentence
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import Job
from autoseg.train.setup.options import (
    Options,
    as_fitted,
    resolve_recipe,
    split_hash,
    versions,
)
from autoseg.train.setup.ranks import ONE, Ranks
from autoseg.train.start.initialize import hash_weights, read_weights
from autoseg.workspace import CHECKPOINT_FINAL

logger = logging.getLogger(__name__)

FEW = 1  # iteration: as long as a training is taken to be before a step was timed


def first_run(job: Job, asked: Options, hardware: Hardware, fit: Fit = PLANNED) -> Run:
    """Return the record of a training as far as it follows from what is asked for.

    With a time budget, its recipe is that of a short training. Steps are timed with it,
    because its optimizer can take as long as the network does.
    """
    seed = asked.seed or 0
    batch = asked.batch_size or job.settings.batch_size
    recipe, because, iterations = resolve_recipe(
        asked, job.plan, job.configuration, FEW
    )
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
        processes=hardware.ranks.count,
        overrides=to_json(asked.plan_changes),
        fitted=to_json(fit.changes),
        fitted_because=fit.because,
        training_cases=len(job.training),
        validation_cases=len(job.validation),
        split=split_hash(job.training, job.validation),
        init_from=asked.init_from and hash_weights(read_weights(asked.init_from)),
        versions=versions(),
    )


def check_split(job: Job, recorded: Run) -> Job:
    """Return the job with the cases that it was recorded with.

    There may be more now (`autoseg.preprocess.extend`).

    Raises
    ------
    TrainingError
        If a fold has other cases now.
    """
    now = (job.training, job.validation)
    for split in (now, *earlier_splits(job.workspace, job.fold)):
        if recorded.split == split_hash(*split):
            if split != now:
                logger.info(
                    "Fold %s began with %d training cases; those added since are not "
                    "in it. --overwrite trains it with them.",
                    job.fold,
                    len(split[0]),
                )
            return dataclasses.replace(job, training=split[0], validation=split[1])
    raise TrainingError(
        f"{job.folder} was trained on other cases than fold {job.fold} has now: the "
        "data set or its splits changed. Put splits.json back, or give --overwrite."
    )


def check_start(asked: Options, recorded: Run, where: str) -> None:
    """Raise if a training that goes on began with other weights than are asked for.

    A model that is not there any more is not needed again.

    Raises
    ------
    TrainingError
        Saying so, and what can be done.
    """
    if asked.init_from is None:
        return
    found = None
    if recorded.init_from is not None:
        try:
            found = hash_weights(read_weights(asked.init_from))
        except AutosegError as error:
            logger.info("The weights that it began with are not read again: %s", error)
            return
    if found is None or found != recorded.init_from:
        began = "random ones" if recorded.init_from is None else "others"
        raise TrainingError(
            f"{where} holds a training that began with {began}, not with the weights "
            f"of {asked.init_from}. Leave --init-from out to go on with it, or give "
            "--overwrite to throw it away and start again."
        )


def changed_since_begun(job: Job) -> list[str]:
    """Return the cases that changed since the fold's training began."""
    changed = changed_folds(job.model_folder, job.dataset, job.workspace)
    return changed.get(job.fold, [])


def tell_of_changes(job: Job) -> None:
    """Say that a fold is of other data, and refuse to go on in its middle."""
    changed = changed_since_begun(job)
    if not changed:
        return
    said = sentence(job.configuration, job.fold, changed)
    if not (job.folder / CHECKPOINT_FINAL).exists():
        raise TrainingError(f"{said} Half of it cannot be of these and half of those.")
    logger.warning("%s", said)


def as_recorded(job: Job, recorded: Run) -> Job:
    """Return the job with what was changed in the plan when its training began."""
    job = check_split(job, recorded)
    if recorded.versions != versions():
        logger.info(
            "Started with %s; the last digits may differ with other versions.",
            ", ".join(f"{k} {v}" for k, v in recorded.versions.items()),
        )
    changes = {**recorded.overrides, **recorded.fitted}
    return dataclasses.replace(
        job, plan=as_fitted(job.plan, job.configuration, changes)
    )


def hardware_again(recorded: Run, asked: Options, ranks: Ranks = ONE) -> Hardware:
    """Return the hardware that a training began on, or the one asked for now."""
    same_threads = recorded.threads if ranks.count == recorded.processes else None
    if asked.device != "auto" and asked.device.partition(":")[0] != recorded.device:
        logger.warning(
            "This training began on %s and goes on on %s: the weights will not be "
            "exactly those of an uninterrupted one.",
            recorded.device,
            asked.device,
        )
        return choose_hardware(
            asked.device, threads=asked.threads or same_threads, ranks=ranks
        )
    if ranks.count != recorded.processes:
        logger.info(
            "This training began with %d process(es) and goes on with %d: the weights "
            "may differ in their last digits from those of an uninterrupted one.",
            recorded.processes,
            ranks.count,
        )
    device = recorded.device if asked.device == "auto" else asked.device
    loading = None if same_threads is None else recorded.loader_threads
    same = choose_hardware(
        device,
        precision=recorded.precision,
        compile="on" if recorded.compiled else "off",
        threads=asked.threads or same_threads,
        loader_threads=loading if asked.workers is None else asked.workers,
        ranks=ranks,
    )
    return dataclasses.replace(same, channels_last=recorded.channels_last)


def describe(job: Job, run: Run) -> str:
    """Return what will be trained, in a few lines for a person and a terminal."""
    recipe = run.recipe
    length = (
        f"{run.iterations} iterations"
        if run.iterations is not None
        else f"{run.time_budget:.0f} s"
    )
    patience = recipe.get("patience", 0.0)
    early = f", or until {EarlyEnd(patience)}" if patience else ""
    taken = recipe.get("taken_rate", 1.0)
    slower = f", taken weights at {taken:g} of the rate" if taken != 1 else ""
    settings = job.settings
    together = ""
    if run.processes > 1:
        together = f"{run.processes} processes, each on "
    said = [
        f"Training {run.dataset}, {run.configuration}, fold {run.fold}: "
        f"{amount(run.training_cases, 'case')}, {run.validation_cases} to validate",
        f"  recipe {recipe['name']} ({run.because}): {in_words(Recipe(**recipe))}"
        f"{slower}, {length}{early}",
        f"  {settings.network.name}, patch {list(settings.patch_size)}, batch "
        f"{run.batch_size}, seed {run.seed}",
        f"  not as planned: {run.fitted_because}" if run.fitted else "",
        f"  {together}{run.device}, {run.precision}"
        f"{', channels last' * run.channels_last}, "
        f"{amount(run.threads, 'thread')}, {run.loader_threads} for loading",
    ]
    return "\n".join(
        textwrap.fill(line, WIDTH, subsequent_indent=" " * 4, break_on_hyphens=False)
        for line in said
        if line
    )
