"""Make patch, network and batch small enough to learn within a time budget.

A network is planned for the memory of a GPU and hours of training. In half an hour on a
CPU it would take a few hundred steps, where a network a quarter as wide takes thousands
and is far more accurate (docs/train.md has the figures). So with a time budget a few
steps are timed. Enough steps come first; then the widest network on the smallest patch
that still sees an object with its surroundings; then a larger patch, and last a batch.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from autoseg.networks.build import build_network
from autoseg.spec.json import to_json
from autoseg.spec.plan import Plan
from autoseg.spec.run import differences
from autoseg.train.patches import measured_of, smaller_patches
from autoseg.train.setup.job import Job, is_trained
from autoseg.train.setup.options import Options, as_fitted
from autoseg.workspace import MODEL_PLAN, RUN

logger = logging.getLogger(__name__)

SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the planned features
LEAST_FEATURES = 8
SMALL_BATCH = 2  # docs/benchmarks.md: as many samples teach more in more steps of two
SMALL_BATCH_TO_NORMALIZE_BY = 4
USUAL_BATCH = 4  # of the steps that a task wants; of smaller ones it wants more
# A network twice as wide, or a batch larger by half, takes at least so much longer.
LEAST_GROWTH = 1.3
WIDTHS = "features"
FEATURES = f"network.{WIDTHS}"
PATCH = "patch_size"


@dataclass(frozen=True)
class Fit:
    """A network and a batch that fit a time budget.

    Parameters
    ----------
    changes : mapping of str to JSON value
        Fields of the configuration that are replaced, with ``batch_size``, and options
        of the task as ``task.NAME``; empty: all is as planned.
    because : str
        Why; empty if nothing was changed.
    """

    changes: Mapping[str, Any]
    because: str = ""

    def applied(self, job: Job) -> Job:
        """Return the job with the changes made."""
        if not self.changes:
            return job
        changed = as_fitted(job.plan, job.configuration, self.changes)
        return dataclasses.replace(job, plan=changed)


PLANNED: Fit = Fit({})


def fit_to_time(
    job: Job,
    asked: Options,
    seconds_of_a_step: Callable[[Job], float],
    planned_first: bool = False,
    least_batch: int = 1,
) -> Fit:
    """Return the patch, the network and the batch that take enough steps.

    What was asked for by hand stays as it is. Other folds of the same model decide for
    this one, since folds are used together.

    Parameters
    ----------
    job : Job
        As planned.
    asked : Options
        With a time budget.
    seconds_of_a_step : callable
        Times a step of a job.
    planned_first : bool
        Time what is planned before anything else, as on a GPU, where it usually fits;
        on a CPU, a few steps of it may take minutes.
    least_batch : int
        A batch is not made smaller than that.

    Returns
    -------
    Fit
        Nothing to change where the planned network takes its steps, where it starts
        from the weights of another, or where ``--keep-network`` is given.
    """
    if asked.time_budget is None or asked.keep_network or asked.init_from:
        return PLANNED
    if not can_be_fitted(job):
        logger.info(
            "%s has no %s that could be made fewer: it is trained as planned.",
            job.settings.network.name,
            WIDTHS,
        )
        return PLANNED
    theirs = _of_other_folds(job, asked)
    if theirs is not None:
        return theirs
    wanted = job.task.wanted_steps
    time_budget = asked.time_budget

    def steps_of(fit: Fit) -> float:
        return time_budget / seconds_of_a_step(fit.applied(job))

    if planned_first and steps_of(PLANNED) >= wanted:
        return PLANNED
    found, steps = _chosen(job, asked, steps_of, wanted, least_batch)
    if steps < wanted:
        logger.warning(
            "Even the smallest network will take no more than about %d iterations "
            "in this time; %d or more are recommended.",
            steps,
            wanted,
        )
    planned = _planned(job, asked)
    if found.changes == planned:
        return PLANNED
    before = {PATCH: list(job.settings.patch_size), **planned}
    words = ", ".join(
        f"{name} {before[name]} -> {value}"
        for name, value in found.changes.items()
        if value != before[name]
    )
    if PATCH in found.changes:
        words += f" (it still sees {_seen(job)})"
    because = (
        f"about {steps:.0f} iterations fit the time budget so, and the planned ones "
        f"would be fewer than {wanted}: {words}"
    )
    return Fit(found.changes, because)


def _chosen(
    job: Job,
    asked: Options,
    steps_of: Callable[[Fit], float],
    wanted: int,
    least_batch: int,
) -> tuple[Fit, float]:
    """Return the last candidate that takes enough steps, or what takes the most.

    Parameters
    ----------
    job, asked, least_batch
        See `fit_to_time`.
    steps_of : callable
        Times what a fit takes within the time budget.
    wanted : int
        Steps of a usual batch.
    """
    found, steps, enough = PLANNED, 0.0, 0.0
    usual = min(USUAL_BATCH, _planned(job, asked)["batch_size"])
    for changes in candidates(job, asked, least_batch):
        if steps and steps < enough * LEAST_GROWTH:
            break
        of_these = wanted * max(1.0, usual / changes["batch_size"])
        fitting = steps_of(Fit(changes))
        if steps and fitting < of_these:
            break
        found, steps, enough = Fit(changes), fitting, of_these
        if steps < enough:
            break
    if steps < wanted:
        for changes in smaller_batches(job, asked, found.changes, least_batch):
            found = Fit(changes)
            steps = steps_of(found)
            if steps >= wanted:
                break
    return found, steps


def smaller_batches(
    job: Job, asked: Options, fastest: Mapping[str, Any], least_batch: int = 1
) -> list[dict[str, Any]]:
    """Return what may be tried where the fastest candidate takes too few steps.

    Half of its batch, a quarter, and so on. A smaller patch would be as fast, but what
    an object is may be seen by its surroundings alone (docs/why/0012).

    Parameters
    ----------
    job, asked, least_batch
        See `candidates`.
    fastest : mapping
        The first of them.
    """
    if not _batch_is_free(asked) or _is_batch_normed(job):
        return []
    rows, batch = [], fastest["batch_size"]
    while (batch := batch // 2) >= least_batch:
        rows.append({**fastest, "batch_size": batch})
    return rows


def _batch_is_free(asked: Options) -> bool:
    return asked.batch_size is None and "batch_size" not in asked.plan_changes


def _is_batch_normed(job: Job) -> bool:
    """Return whether a network normalizes by the mean of a batch.

    It is built for that: on the device "meta", modules of others that read a number
    from a tensor cannot be.
    """
    network = build_network(job.plan, job.configuration)
    return any(isinstance(one, _BatchNorm) for one in network.modules())


def _seen(job: Job) -> str:
    measured = measured_of(job)
    if "diameter" in measured:
        return "an object with its surroundings"
    return "half of what was planned, or more"


def can_be_fitted(job: Job) -> bool:
    """Return whether the network has widths that can be made fewer."""
    return WIDTHS in job.settings.network.options


def candidates(job: Job, asked: Options, least_batch: int = 1) -> list[dict[str, Any]]:
    """Return what may be tried, the fastest first and what is planned last.

    First the network grows on the smallest patch with a small batch, then the patch,
    then the batch.

    Parameters
    ----------
    job : Job
        As planned.
    asked : Options
        What is given by hand there stays.
    least_batch : int
        As in `fit_to_time`.
    """
    planned = _planned(job, asked)
    features, batch = planned[FEATURES], planned["batch_size"]
    free = not any(key.startswith("network") for key in asked.plan_changes)
    batches = {batch}
    if _batch_is_free(asked):
        small = SMALL_BATCH
        if batch > small and _is_batch_normed(job):
            small = SMALL_BATCH_TO_NORMALIZE_BY
        batches = {min(batch, max(small, least_batch)), batch}
    patches: list[dict[str, Any]] = []
    if free and PATCH not in asked.plan_changes:
        patches = [
            {PATCH: list(one.size), FEATURES: features[: one.stages]}
            for one in smaller_patches(job, WIDTHS)
        ]
    patches.append({FEATURES: features})
    smallest = {"batch_size": min(batches)}
    first = patches[0]
    rows = [
        {**first, FEATURES: _thinner(first[FEATURES], share), **smallest}
        for share in (SHARES if free else (1,))
    ]
    rows += [{**patch, **smallest} for patch in patches[1:]]
    rows += [{**patches[-1], "batch_size": size} for size in sorted(batches)[1:]]
    return [row for n, row in enumerate(rows) if row not in rows[:n]]


def _thinner(features: Sequence[int], share: float) -> list[int]:
    return [max(min(LEAST_FEATURES, width), round(width * share)) for width in features]


def _planned(job: Job, asked: Options) -> dict[str, Any]:
    """Return what is trained if time does not matter."""
    return {
        FEATURES: list(job.settings.network.options[WIDTHS]),
        "batch_size": asked.batch_size or job.settings.batch_size,
    }


def _of_other_folds(job: Job, asked: Options) -> Fit | None:
    """Return the network that other folds of this model have, if they have another."""
    path = job.model_folder / MODEL_PLAN
    folds = [p for p in job.model_folder.glob("fold_*") if p != job.folder]
    # One that has a record and nothing else never got so far as to bind others.
    others = [p for p in folds if is_trained(p) or not (p / RUN).is_file()]
    named = any(key.startswith("network") for key in asked.plan_changes)
    if not path.is_file() or not others or named:
        return None
    theirs = Plan.load(path).configurations.get(job.configuration)
    if theirs is None or WIDTHS not in theirs.network.options:
        return None
    changes = {
        FEATURES: to_json(theirs.network.options[WIDTHS]),
        "batch_size": asked.batch_size or theirs.batch_size,
    }
    if theirs.patch_size != job.settings.patch_size:
        changes[PATCH] = list(theirs.patch_size)
    if not differences(_planned(job, asked), changes):
        return None
    return Fit(changes, f"as {', '.join(sorted(p.name for p in others))}")
