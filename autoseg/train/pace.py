"""How long a training will take on this machine, and what to do if that is too long."""

from __future__ import annotations

import logging
import math
import os

from autoseg.errors import UsageError
from autoseg.spec.run import Run
from autoseg.spec.settings.recipe import Recipe
from autoseg.train.assemble import seconds_of_a_step
from autoseg.train.fit import Fit, can_be_fitted, candidates
from autoseg.train.record import first_run
from autoseg.train.setup.hardware import Hardware, choose_hardware
from autoseg.train.setup.job import Job, ensure_preprocessed, find_job
from autoseg.train.setup.options import Options
from autoseg.workspace import DEFAULT_PLAN

logger = logging.getLogger(__name__)

DAY = 86_400.0
LONGEST = 2 * DAY  # that is begun without anybody saying so
FEW_STEPS = 1  # timed, of what may take minutes
BUDGETS = ("20m", "2h", "10h")


def fastest_step(
    dataset: str | os.PathLike[str],
    configuration: str,
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    device: str = "auto",
    threads: int | None = None,
) -> tuple[bool, float | None]:
    """Time a step of the smallest network that a time budget may choose.

    Parameters
    ----------
    dataset, configuration, root, plan, device, threads
        As in `autoseg.train`; the cases must be prepared.

    Returns
    -------
    gpu : bool
        Whether it is not a CPU that trains.
    seconds : float or None
        Of a step; None where it cannot be measured before an earlier stage is trained.
    """
    asked = Options(time_budget=1.0, device=device, threads=threads).of(configuration)
    job = find_job(dataset, configuration, 0, root, plan, asked)
    hardware = choose_hardware(asked.device, compile="off", threads=threads)
    gpu = hardware.device.type != "cpu"
    if job.settings.previous is not None:
        return gpu, None
    ensure_preprocessed(job)
    if can_be_fitted(job):
        job = Fit(candidates(job, asked)[0]).applied(job)
    run = first_run(job, asked, hardware)
    return gpu, seconds_of_a_step(job, run, hardware)


def refuse_endless(job: Job, run: Run, asked: Options, hardware: Hardware) -> None:
    """Say how long a training of the usual length will take; raise if for days.

    Parameters
    ----------
    job : Job
        What is to be trained.
    run : Run
        With which numbers.
    asked : Options
        Where a length is given, nothing is said.
    hardware : Hardware
        On what.

    Raises
    ------
    UsageError
        If nobody gave a length, and it would be more than two days; names three
        commands that fit.
    """
    given = (asked.epochs, asked.iterations, asked.time_budget)
    if any(one is not None for one in given) or run.iterations is None:
        return
    if hardware.ranks.count > 1:
        return  # a step alone says little of one that is shared
    if any(key.startswith("train.") for key in asked.settings):
        return  # whoever sets the recipe's numbers has thought of its length
    step = seconds_of_a_step(job, run, hardware, FEW_STEPS)
    seconds = step * run.iterations
    epochs = math.ceil(run.iterations / Recipe(**run.recipe).iterations_per_epoch)
    said = (
        f"{run.iterations} iterations ({epochs} epochs) of {_spoken(step)} each take "
        f"about {_spoken(seconds)}"
    )
    if seconds <= LONGEST:
        logger.info("%s here.", said)
        return
    what = f"autoseg train {job.dataset.folder.name} {job.configuration} {job.fold}"
    listed = "\n".join(f"  {what} --time-budget {length}" for length in BUDGETS)
    raise UsageError(
        f"{said} on this {'GPU' if hardware.device.type != 'cpu' else 'CPU'}, so "
        "nothing was trained. These end sooner, with a network that fits the time:\n"
        f"{listed}\n"
        f"--epochs {epochs} trains all the same."
    )


def _spoken(seconds: float) -> str:
    if seconds >= DAY:
        return f"{seconds / DAY:.1f} days"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.2g} s"
