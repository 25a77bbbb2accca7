"""Whether a training can fit into memory, known before anything is built."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import torch

from autoseg.errors import PlanError, UsageError
from autoseg.machine import total_memory
from autoseg.spec.run import Run
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.job import Job
from planners.memory.costs import cost_of, setting_of

logger = logging.getLogger(__name__)

IMAGE_BYTES = 4  # float32, of a voxel and channel of a batch
LABEL_BYTES = 1


def check_memory(job: Job, run: Run, hardware: Hardware) -> None:
    """Raise if a step of training surely needs more memory than there is.

    A forecast that is a little too high costs nobody a training: it is held against all
    the memory of the device, not against what is free now.

    Parameters
    ----------
    job : Job
        What is to be trained.
    run : Run
        With which batch and recipe.
    hardware : Hardware
        On what.

    Raises
    ------
    UsageError
        With what is needed, what there is, and what makes it less.
    """
    ranks = hardware.ranks
    share = ranks.largest(run.batch_size)
    need, there = ranks.near * batch_bytes(job, share), total_memory()
    if need > there:
        raise UsageError(_too_large(job, run, "A batch", need, "this machine", there))
    try:
        step = ranks.beside * step_bytes(job, run, hardware)
    except PlanError as unknown:
        logger.debug("%s", unknown)
        return
    device, name = hardware.device, "this machine"
    if device.type == "cuda":
        there = torch.cuda.get_device_properties(device).total_memory
        name = str(device)
    if step > there:
        raise UsageError(_too_large(job, run, "A step", step, name, there))


def batch_bytes(job: Job, batch_size: int) -> int:
    """Return how many bytes the images and labels of a batch take at least."""
    each = len(job.plan.channels) * IMAGE_BYTES + LABEL_BYTES
    return batch_size * math.prod(job.settings.patch_size) * each


def step_bytes(job: Job, run: Run, hardware: Hardware) -> float:
    """Return the expected peak of one process's step, by the planner's arithmetic.

    Raises
    ------
    PlanError
        If nobody knows what the network needs.
    """
    share = hardware.ranks.largest(run.batch_size)
    # It may go on on another device than it began on.
    here = replace(run, precision=hardware.precision, device=hardware.device.type)
    return cost_of(job.plan, job.configuration, setting_of(here)).total(share)


def _too_large(
    job: Job, run: Run, what: str, need: float, where: str, there: float
) -> str:
    return (
        f"{what} of {job.configuration} with patch {list(job.settings.patch_size)} and "
        f"batch {run.batch_size} takes about {_gigabytes(need)}, and {where} has "
        f"{_gigabytes(there)}. Give a smaller --batch-size or --set patch_size=..., or "
        "plan for this memory: `autoseg plan --gpu-memory GB`."
    )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
