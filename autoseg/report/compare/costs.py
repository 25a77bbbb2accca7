"""What a run cost, and whether runs cost the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from autoseg.errors import AutosegError, UsageError
from autoseg.figures.progress import spoken
from autoseg.report.compare.runs import Run
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run as Record
from autoseg.train.after.results import Fold, read_fold
from autoseg.train.setup.options import as_fitted
from autoseg.workspace import MODEL_PLAN, RUN
from planners.memory.costs import cost_of, setting_of

logger = logging.getLogger(__name__)

TOLERANCE = 0.05  # of the larger: what differs by less counts as the same


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a training cost: the mean over the folds whose cases are compared.

    Parameters
    ----------
    network : str
        Its name.
    folds : int
        How many.
    seconds : float
        Of a training, over all restarts.
    iterations : float
        Of a training.
    memory : float or None
        Bytes at the worst moment of a step, as planned; None where nobody knows what
        the network needs.
    operations : float or None
        Additions and multiplications of a step.
    parameters : int or None
        Learned numbers.
    """

    network: str
    folds: int
    seconds: float
    iterations: float
    memory: float | None
    operations: float | None
    parameters: int | None


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Something that runs may have in common.

    Parameters
    ----------
    of : callable
        Returns it of a `Cost`; None where nobody knows.
    said : callable
        Returns a value as words.
    remedy : str
        How to train so that it is equal.
    """

    of: Callable[[Cost], float | None]
    said: Callable[[float], str]
    remedy: str


EQUAL = {
    "time": Equal(
        of=lambda cost: cost.seconds,
        said=spoken,
        remedy="train each with the same --time-budget, one after the other",
    ),
    "iterations": Equal(
        of=lambda cost: cost.iterations,
        said=lambda value: f"{value:.0f} iterations",
        remedy="train each with the same --iterations",
    ),
    "memory": Equal(
        of=lambda cost: cost.memory,
        said=lambda value: f"{value / 1e9:.3g} GB a step",
        remedy="plan each with the same --gpu-memory and --budget-rule bytes",
    ),
}


def read_costs(runs: Sequence[Run]) -> dict[str, Cost]:
    """Return what each run cost that is a trained fold or configuration.

    Parameters
    ----------
    runs : sequence of Run
        Folders of predictions and files of scores have no costs.

    Returns
    -------
    dict of str to Cost
        By name of the run.
    """
    found = {run.name: _cost(run.source) for run in runs}
    return {name: cost for name, cost in found.items() if cost is not None}


def _cost(source: Path) -> Cost | None:
    folders = [source] if (source / RUN).is_file() else sorted(source.glob("fold_*"))
    folds = [read_fold(folder) for folder in folders]
    # Only whose cases are compared: a fold that is still trained cost too little yet.
    folds = [f for f in folds if f.log and f.run and f.summary is not None]
    folds = [f for f in folds if f.held_out or len(folders) == 1]
    if not folds:
        return None
    memory, operations, parameters, network = _planned(folds[0])
    return Cost(
        network=network,
        folds=len(folds),
        seconds=fmean(fold.log[-1]["seconds"] for fold in folds),
        iterations=fmean(fold.log[-1]["iteration"] for fold in folds),
        memory=memory,
        operations=operations,
        parameters=parameters,
    )


def _planned(
    fold: Fold,
) -> tuple[float | None, float | None, int | None, str]:
    """Return memory, operations, parameters and network of a fold, by its plan."""
    network = "?"
    try:
        record = Record.load(fold.folder / RUN)
        plan = Plan.load(fold.folder.parent / MODEL_PLAN)
        changes = {**record.overrides, **record.fitted}
        plan = as_fitted(plan, record.configuration, changes)
        network = plan.configuration(record.configuration).network.name
        cost = cost_of(plan, record.configuration, setting_of(record))
    except AutosegError as unknown:
        logger.debug("%s", unknown)
        return None, None, None, network
    batch = record.batch_size
    return cost.total(batch), cost.operations(batch), cost.parameters, network


def differing(costs: Sequence[Cost], what: str) -> float | None:
    """Return how many times the least is the largest; None where one is unknown."""
    values = [EQUAL[what].of(cost) for cost in costs]
    known = [value for value in values if value]
    if len(known) < len(values):
        return None
    return max(known) / min(known)


def is_same(times: float | None) -> bool:
    """Return whether costs that differ so many times count as the same."""
    return times is not None and times * (1 - TOLERANCE) <= 1


def sentence(costs: Mapping[str, Cost]) -> str:
    """Return what the runs have in common, and what they do not.

    Parameters
    ----------
    costs : mapping of str to Cost
        Of two runs or more.
    """
    times = {what: differing(list(costs.values()), what) for what in EQUAL}
    same = [what for what, value in times.items() if is_same(value)]
    other = [
        f"other {what} ({_values(costs, what)})"
        for what, value in times.items()
        if value is not None and not is_same(value)
    ]
    parts = [f"equal {what}" for what in same] + other
    return f"Trained with {', '.join(parts)}." if parts else ""


def _values(costs: Mapping[str, Cost], what: str) -> str:
    equal = EQUAL[what]
    values = {name: equal.of(cost) for name, cost in costs.items()}
    return ", ".join(
        f"{name}: {equal.said(value) if value is not None else 'unknown'}"
        for name, value in values.items()
    )


def require_equal(what: str, costs: Mapping[str, Cost], runs: Sequence[Run]) -> None:
    """Refuse to compare runs that did not cost the same.

    Parameters
    ----------
    what : str
        A key of `EQUAL`.
    costs : mapping of str to Cost
        As far as known.
    runs : sequence of Run
        All that are compared.

    Raises
    ------
    UsageError
        If ``what`` is unknown, a run has no such cost, or they differ by more than
        `TOLERANCE`; with all values.
    """
    if what not in EQUAL:
        raise UsageError(f"equal {what!r}: give one of {', '.join(EQUAL)}.")
    lacking = [
        run.name
        for run in runs
        if run.name not in costs or EQUAL[what].of(costs[run.name]) is None
    ]
    if lacking:
        raise UsageError(
            f"nobody knows the {what} of {', '.join(lacking)}: give trained folds or "
            "configurations, with their run.json, log.jsonl and plan.json."
        )
    if not is_same(differing(list(costs.values()), what)):
        raise UsageError(
            f"the runs differ in {what} by more than {TOLERANCE:.0%} "
            f"({_values(costs, what)}): {EQUAL[what].remedy}, or compare them without "
            "--equal."
        )
