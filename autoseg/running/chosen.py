"""Which configurations a run trains, and how its time is shared out."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from autoseg.preprocess.folds import load_splits
from autoseg.running.journal import Journal
from autoseg.running.lengths import folds_in, kept, spoken
from autoseg.spec.dataset import Dataset
from autoseg.spec.plan import Plan
from autoseg.tasks import make_task
from autoseg.workspace import Workspace

log = logging.getLogger(__name__)

FULL = "3d_fullres"
LEAST_TRAINED = 0.2  # of a budget, whatever preparing took


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which configurations are trained.

    Parameters
    ----------
    first : str
        In any case.
    fine : str
        What looks closer at what the first finds; empty: nothing does.
    """

    first: str
    fine: str = ""


def choose_stages(plan: Plan, configuration: str | None) -> Chosen:
    """Return what is trained of a plan.

    A fine stage is trained only where it is asked for: on X-rays of the head it made
    points worse (docs/landmark.md), and nothing that is measured says so before.

    Parameters
    ----------
    plan : Plan
        What there is.
    configuration : str or None
        What is asked for. A fine stage stands for itself and the one before it.
    """
    names = list(plan.configurations)
    first = configuration or (FULL if FULL in names else names[0])
    before = plan.configuration(first).previous  # says which there are if it is not
    if before is None or not make_task(plan.task).fine_reach:
        return Chosen(first=first)
    return Chosen(first=before, fine=first)


def decide(
    journal: Journal,
    workspace: Workspace,
    described: Dataset,
    chosen: Chosen,
    folds: int | None,
    page: float,
) -> None:
    """Share the time out among folds, unless an earlier start has done so.

    Parameters
    ----------
    journal : Journal
        Of the run.
    workspace, described : Workspace, Dataset
        Say how many folds there are.
    chosen : Chosen
        What is trained.
    folds : int or None
        That are asked for.
    page : float
        Seconds of the report, which are kept.
    """
    decided = journal.decided
    if decided is None:
        return
    if decided.folds:
        log.info("Going on with a run of %s.", spoken(decided.budget))
        return
    there = len(load_splits(workspace, described))
    free = journal.left - kept(decided.budget, page)
    count = min(folds, there) if folds else folds_in(free, there)
    if count == there > 1:
        free = journal.left - kept(decided.budget, page, whole=True)
    least = LEAST_TRAINED * decided.budget
    if free < least:
        log.warning(
            "Preparing took %s of %s; training gets %s all the same, so it will take "
            "longer in all.",
            *map(spoken, (journal.spent, decided.budget, least)),
        )
    each = round(max(free, least) / count, 1)
    journal.decide(chosen.first, {str(n): each for n in range(count)}, chosen.fine)
