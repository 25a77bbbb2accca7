"""From a job and the record of a run to a trainer that is ready to start."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from autoseg.augmentations.pipeline import Pipeline
from autoseg.errors import UsageError
from autoseg.networks.build import build_network, cascade_channels
from autoseg.spec.run import Run
from autoseg.spec.settings.recipe import recomputes
from autoseg.train.data.cascade import store_of_previous
from autoseg.train.data.loader import Loader
from autoseg.train.data.open_cases import OpenCases
from autoseg.train.data.sample import PointTarget
from autoseg.train.data.sampler import TRAINING, VALIDATION, Sampler
from autoseg.train.loop.criterion import Criterion
from autoseg.train.loop.patch_score import PatchScore
from autoseg.train.loop.schedule import Clock
from autoseg.train.loop.trainer import Trainer
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.job import Job
from autoseg.train.setup.recipes import Recipe

logger = logging.getLogger(__name__)

NO_AUGMENTATION = "none"
PROBE_STEPS = 4
LEAST_SHARE = 0.1  # of a time budget that is trained, whatever else takes time


def make_trainer(job: Job, run: Run, hardware: Hardware) -> Trainer:
    """Return a trainer at its start.

    Parameters
    ----------
    job : Job
        What is trained.
    run : Run
        With which numbers.
    hardware : Hardware
        On what.

    Returns
    -------
    Trainer
        Two calls with the same arguments give equal weights.
    """
    recipe = Recipe(**run.recipe)
    torch.manual_seed(run.seed)
    if hardware.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # patches are all of one shape
    task = job.task
    network = build_network(
        job.plan,
        job.configuration,
        deep_supervision=recipe.deep_supervision,
        late=task.learns_points,
    )
    freeze(network, recipe.freeze)
    network.recompute = recomputes(recipe.recompute, hardware.device.type)
    settings, stride = job.settings, job.settings.head_stride
    criterion, whole = (
        Criterion(task, settings.batch_dice, settings.spacing, stride) for _ in range(2)
    )
    criterion.divide(hardware.ranks)
    pairs = zip(settings.patch_size, stride, strict=True)
    for name, bias in criterion.start_biases([n // step for n, step in pairs]).items():
        network.start_head(name, bias)
    placed = hardware.ranks.over_batch(hardware.place(network, settings.dim))
    criterion = criterion.to(hardware.device)
    cases = OpenCases(job.store.open)
    score = PatchScore(
        task,
        whole.to(hardware.device),
        hardware,
        make_loader(job, run, hardware, cases, job.validation, VALIDATION),
        recipe.validation_batches,
    )
    return Trainer(
        network=placed,
        criterion=criterion,
        recipe=recipe,
        hardware=hardware,
        clock=Clock(
            run.iterations,
            seconds_to_train(run),
            _schedule_step(recipe, run.iterations),
        ),
        loader=make_loader(job, run, hardware, cases, job.training, TRAINING),
        validate=score,
    )


def seconds_to_train(run: Run) -> float | None:
    """Return what a time budget leaves for iterations; None without one."""
    if run.time_budget is None:
        return None
    left = run.time_budget - run.prepared - run.reserved
    return max(left, LEAST_SHARE * run.time_budget)


def freeze(network: nn.Module, part: str) -> None:
    """Let a part of a network learn nothing: those parameters get no gradient.

    Parameters
    ----------
    network : Module
        Changed in place.
    part : str
        Name of a module in it; empty: none.

    Raises
    ------
    UsageError
        If it has no such part.
    """
    if not part:
        return
    inside = [p for n, p in network.named_parameters() if n.startswith(f"{part}.")]
    if not inside:
        raise UsageError(
            f"train.freeze is {part}, and {type(network).__name__} has no part of that "
            "name."
        )
    for parameter in inside:
        parameter.requires_grad_(False)


def _schedule_step(recipe: Recipe, iterations: int | None) -> int:
    """Return after how many iterations the learning rate changes."""
    if recipe.schedule == "polynomial" and iterations is not None:
        return recipe.iterations_per_epoch  # once an epoch, as nnU-Net does
    return 1


def make_loader(
    job: Job,
    run: Run,
    hardware: Hardware,
    cases: OpenCases,
    ids: Sequence[str],
    stream: int,
) -> Loader:
    """Return a loader of patches of some cases.

    Parameters
    ----------
    job : Job
        What is trained.
    run : Run
        Batch size, seed and recipe.
    hardware : Hardware
        Where batches are needed.
    cases : OpenCases
        Shared by the loaders.
    ids : sequence of str
        Of the cases.
    stream : int
        `TRAINING`: augmented, by threads; `VALIDATION`: neither.

    Returns
    -------
    Loader
        Of batches in the order of iterations.
    """
    settings, recipe = job.settings, Recipe(**run.recipe)
    training = stream == TRAINING
    task = job.task
    fine = job.is_fine
    previous = None
    if settings.previous is not None and not fine:
        previous = OpenCases(store_of_previous(job).open)
    pipeline = Pipeline(
        recipe.augmentation if training else NO_AUGMENTATION,
        settings.patch_size,
        settings.mirror_axes,
        channels=len(job.plan.channels),
        masked_channels=[i for i, c in enumerate(job.plan.channels) if c.masked],
        previous_channels=cascade_channels(task) if previous else 0,
    )
    sampler = Sampler(
        ids,
        cases,
        classes=task.classes,
        patch_size=settings.patch_size,
        batch_size=run.batch_size,
        foreground=1.0 if fine else recipe.foreground,
        seed=run.seed,
        stream=stream,
        augment=pipeline.draw,
        spread=task.fine_reach if fine else 0.0,
        overhang=fine or recipe.overhang,
        share=(hardware.ranks.number, hardware.ranks.count) if training else (0, 1),
    )
    threads = hardware.loader_threads if training else 0
    ahead = max(2, min(4, 2 * threads))
    return Loader(
        sampler,
        pipeline,
        hardware.device,
        threads=threads,
        ahead=ahead,
        previous=previous,
        encode=None if task.learns_points or task.learns_map else _encoder(job),
        points=PointTarget(task.heads[0].name, task.swapped),
    )


def _encoder(job: Job) -> Callable[..., dict[str, NDArray[Any]]]:
    """Return the task's encoding of a patch of a configuration."""
    task, spacing = job.task, job.settings.spacing
    return lambda labels, *shares: task.targets(labels, spacing, *shares)


def seconds_of_a_step(
    job: Job, run: Run, hardware: Hardware, steps: int = PROBE_STEPS
) -> float:
    """Return how long a training step takes here, from a few that are thrown away."""
    trainer = make_trainer(job, run, hardware)
    spent = []
    batches = trainer.loader.batches(0, steps + 1)
    with hardware.thread_limit():
        for _ in range(steps + 1):
            start = time.perf_counter()
            trainer.step(next(batches))
            if hardware.device.type == "cuda":
                torch.cuda.synchronize(hardware.device)
            spent.append(time.perf_counter() - start)
    batches.close()
    return sorted(spent[1:])[steps // 2]
