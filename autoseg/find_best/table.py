"""Tables of scores, one row for each case, and what a change of them is worth.

Entries are goodness: higher is better whatever the measure, and every case counts. An
empty prediction of an empty annotation is perfect, and a class that was missed
altogether is as far away as the largest image is wide. Otherwise removing what was
found where nothing is would gain nothing, and removing everything would cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoseg.evaluate.aggregate import Scores, interval, resample, weighted_means
from autoseg.evaluate.measures import badness, measure_of
from autoseg.spec.fingerprint import Fingerprint

Table = NDArray[np.float64]  # (cases, classes) of goodness; NaN: does not count

SEED = 0


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a change is worth.

    Parameters
    ----------
    mean : float
        Gain of the mean over classes, in goodness.
    low, high : float
        Its 95 % confidence interval, by a bootstrap over cases, both sides of the
        comparison drawn together.
    """

    mean: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0


def goodness(scores: Mapping[str, float], by: str, worst: float) -> float:
    """Return how good one class of one case is; higher is better.

    Parameters
    ----------
    scores : mapping of str to float
        By measure, with ``tp``, ``fp`` and ``fn`` where the task counts voxels.
    by : str
        The measure.
    worst : float
        What an infinite distance counts as.

    Returns
    -------
    float
        NaN if it is not defined.
    """
    value = scores.get(by, math.nan)
    if math.isnan(value):
        counts = [scores.get(name, math.nan) for name in ("tp", "fp", "fn")]
        if sum(counts) == 0:
            return perfect(by)
        # A landmark that was missed, or found where there is none, has no distance.
        return wrong(by, worst) if "mre" in scores and sum(counts) > 0 else math.nan
    bad = badness(by, value)
    if math.isinf(bad):
        bad = worst if measure_of(by).length else 1.0
    return -bad


def perfect(by: str) -> float:
    """Return the goodness of a class that is neither there nor predicted."""
    return 1.0 if measure_of(by).better == "higher" else 0.0


def wrong(by: str, worst: float) -> float:
    """Return the goodness of a landmark that was missed or made up."""
    if measure_of(by).length:
        return -worst
    return 0.0 if measure_of(by).better == "higher" else -1.0


def worst_distance(fingerprint: Fingerprint) -> float:
    """Return the diagonal of the largest image: no distance is longer."""
    return max(
        math.dist([0.0] * len(shape), np.multiply(shape, spacing).tolist())
        for shape, spacing in zip(fingerprint.shapes, fingerprint.spacings, strict=True)
    )


def table_of(
    cases: Mapping[str, Scores],
    ids: Sequence[str],
    classes: Sequence[str],
    by: str,
    worst: float,
) -> Table:
    """Return the scores of cases as a table: rows ``ids``, columns ``classes``."""
    rows = [
        [goodness(cases[case].get(name, {}), by, worst) for name in classes]
        for case in ids
    ]
    return np.array(rows, dtype=np.float64).reshape(len(ids), len(classes))


def mean_of(table: Table) -> float:
    """Return the mean over classes of their means over cases, as in a summary."""
    return float(_means(table, np.ones((1, len(table))))[0])


def mean_interval(table: Table) -> tuple[float, float]:
    """Return the 95 % confidence interval of `mean_of`."""
    if len(table) < 2:
        return math.nan, math.nan
    return interval(_means(table, resample(len(table), SEED)))


def gain_of(before: Table, after: Table) -> Gain:
    """Return what a change is worth, on the same cases.

    Parameters
    ----------
    before, after : ndarray of float, shape (cases, classes)
        Goodness.

    Returns
    -------
    Gain
        Of one case only, an interval that is not a number, so that it is not sure.
    """
    mean = mean_of(after) - mean_of(before)
    if len(before) < 2:
        return Gain(mean=mean, low=math.nan, high=math.nan)
    weights = resample(len(before), SEED)
    low, high = interval(_means(after, weights) - _means(before, weights))
    return Gain(mean=mean, low=low, high=high)


def _means(table: Table, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over classes for each row of weights (B, cases)."""
    by_class = weighted_means(table, weights)
    there = np.isfinite(by_class)
    total = np.where(there, by_class, 0.0).sum(axis=1)
    count = there.sum(axis=1)
    means = np.full(len(weights), math.nan)
    result: NDArray[np.float64] = np.divide(total, count, out=means, where=count > 0)
    return result
