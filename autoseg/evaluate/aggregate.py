"""From the scores of cases to numbers of a data set, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import amount
from autoseg.metrics.instances import ANY_CLASS
from autoseg.metrics.pooled import POOLED_INSTANCES, Pooled

Scores = Mapping[str, Mapping[str, float]]  # of one case: by class, then by metric

RESAMPLES = 2000  # bootstrap samples; the interval's ends are then stable to ~1 %
SEED = 0
CONFIDENCE = 0.95
FEW = 10  # cases: of fewer, normally distributed, intervals hold the mean in under 90 %


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """One metric over many cases.

    NaN scores (not defined for that case) count nowhere. Infinite ones (a class that
    was missed altogether has no distance) would make every mean infinite, so the mean,
    its interval and the standard deviation leave them out, ``infinite`` says how many,
    and the median counts them as the worst.

    Parameters
    ----------
    mean : float
        Of the finite scores; NaN if there are none.
    low, high : float
        95 % confidence interval of the mean, by a percentile bootstrap over cases; NaN
        for fewer than two finite scores.
    std : float
        Of the finite scores, with n - 1 degrees of freedom; NaN for fewer than two.
    median : float
        Of all scores that are not NaN.
    count : int
        Scores that are not NaN.
    infinite : int
        Those among them that are infinite.
    """

    mean: float
    low: float
    high: float
    std: float
    median: float
    count: int
    infinite: int = 0


def aggregate(
    cases: Mapping[str, Scores],
    seed: int = SEED,
    pooled: Pooled = POOLED_INSTANCES,
    apart: Collection[str] = (ANY_CLASS,),
) -> tuple[dict[str, dict[str, Statistic]], dict[str, Statistic]]:
    """Sum up the scores of cases, class by class and over all classes.

    Parameters
    ----------
    cases : mapping of str to mapping
        By case id, class and metric.
    seed : int
        Of the bootstrap.
    pooled : mapping
        Further metrics, from sums over cases of counts, where those are among the
        scores; such a statistic has no ``std`` and no ``median``.
    apart : collection of str
        Classes that the mean over classes leaves out.

    Returns
    -------
    classes : dict of str to dict of str to Statistic
        By class and metric.
    foreground : dict of str to Statistic
        By metric. ``mean`` is the mean of the classes' means, each over the cases where
        it is defined, as in nnU-Net's ``foreground_mean``; its interval comes from
        resampling cases, all classes of a case together. ``std`` and ``median`` are
        those of the cases' own means over classes.

    Examples
    --------
    >>> one = {"liver": {"dice": 0.9}, "spleen": {"dice": 0.5}}
    >>> two = {"liver": {"dice": 0.7}, "spleen": {"dice": float("nan")}}
    >>> classes, foreground = aggregate({"1": one, "2": two})
    >>> classes["spleen"]["dice"].count, round(foreground["dice"].mean, 6)
    (1, 0.65)
    """
    classes: dict[str, dict[str, Statistic]] = {n: {} for n in class_names(cases)}
    names = list(classes)
    own = [column for column, name in enumerate(names) if name not in apart]
    foreground: dict[str, Statistic] = {}
    weights = resample(len(cases), seed) if cases else np.zeros((0, 0))
    for metric in metric_names(cases):
        table = _table(cases, names, metric, math.nan)
        means = weighted_means(table, weights)
        for column, name in enumerate(names):
            if any(metric in case.get(name, {}) for case in cases.values()):
                classes[name][metric] = _statistic(table[:, column], means[:, column])
        foreground[metric] = _foreground(table[:, own], means[:, own])
    for metric, values in _pooled_values(cases, names, weights, pooled):
        for column, name in enumerate(names):
            classes[name][metric] = _pooled(values[:, column], len(cases))
        over = _mean_of_finite(values[:, own])
        foreground[metric] = _pooled(over, len(cases))
    return classes, foreground


def class_names(cases: Mapping[str, Scores]) -> list[str]:
    """Return the classes of all cases, in the order in which they are met."""
    return list(dict.fromkeys(name for case in cases.values() for name in case))


def metric_names(cases: Mapping[str, Scores]) -> list[str]:
    """Return the metrics of all cases, in the order in which they are met.

    Examples
    --------
    >>> metric_names({"1": {"liver": {"dice": 0.9}}, "2": {"liver": {"hd95": 3.0}}})
    ['dice', 'hd95']
    """
    found: dict[str, None] = {}
    for case in cases.values():
        for scores in case.values():
            found.update(dict.fromkeys(scores))
    return list(found)


def _table(
    cases: Mapping[str, Scores], names: Sequence[str], metric: str, missing: float
) -> NDArray[np.float64]:
    """Return a metric by case and class: (cases, classes)."""
    table = np.full((len(cases), len(names)), missing)
    for row, case in zip(table, cases.values(), strict=True):
        row[:] = [case.get(name, {}).get(metric, missing) for name in names]
    return table


def _pooled_values(
    cases: Mapping[str, Scores],
    names: Sequence[str],
    weights: NDArray[np.float64],
    pooled: Pooled,
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield each pooled metric that can be had: (1 + B, classes), all cases first."""
    there = set(metric_names(cases))
    once = np.vstack([np.ones(len(cases)), weights])  # all cases, then resampled
    for metric, ratios in pooled.items():
        needed = {name for r in ratios for side in (r.over, r.under) for name in side}
        if needed <= there:
            sums = {name: once @ _table(cases, names, name, 0.0) for name in needed}
            yield metric, np.mean([ratio(sums) for ratio in ratios], axis=0)


def _pooled(values: NDArray[np.float64], cases: int) -> Statistic:
    """Return the statistic of a pooled metric: of all cases, then of resampled ones."""
    defined = not math.isnan(values[0])
    low, high = interval(values[1:]) if defined and cases > 1 else (math.nan, math.nan)
    return Statistic(
        mean=float(values[0]),
        low=low,
        high=high,
        std=math.nan,
        median=math.nan,
        count=cases if defined else 0,
    )


def resample(cases: int, seed: int) -> NDArray[np.float64]:
    """Return how often each case is drawn in each bootstrap sample: (B, cases)."""
    drawn = np.random.default_rng(seed).multinomial(
        cases, np.full(cases, 1 / cases), size=RESAMPLES
    )
    return drawn.astype(np.float64)


def weighted_means(
    table: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each column's mean over finite entries, by weights (B, cases)."""
    finite = np.isfinite(table)
    total = weights @ np.where(finite, table, 0.0)
    number = weights @ finite
    means = np.full(total.shape, math.nan)
    result: NDArray[np.float64] = np.divide(total, number, out=means, where=number > 0)
    return result


def _statistic(values: NDArray[np.float64], means: NDArray[np.float64]) -> Statistic:
    defined = values[~np.isnan(values)]
    finite = defined[np.isfinite(defined)]
    several = len(finite) > 1
    low, high = interval(means) if several else (math.nan, math.nan)
    return Statistic(
        mean=float(finite.mean()) if len(finite) else math.nan,
        low=low,
        high=high,
        std=float(finite.std(ddof=1)) if several else math.nan,
        median=_median(defined),
        count=len(defined),
        infinite=len(defined) - len(finite),
    )


def _foreground(table: NDArray[np.float64], means: NDArray[np.float64]) -> Statistic:
    own = _mean_of_finite(table)
    infinite = np.isinf(table).any(axis=1)
    # A case with an infinite score is as bad as can be, whatever its other classes are.
    ranked = np.where(infinite, math.inf, own)
    of_classes = [_mean(column[np.isfinite(column)]) for column in table.T]
    several = np.isfinite(own).sum() > 1
    resampled = _mean_of_finite(means)
    low, high = interval(resampled) if several else (math.nan, math.nan)
    finite = own[np.isfinite(own)]
    return Statistic(
        mean=_mean([mean for mean in of_classes if not math.isnan(mean)]),
        low=low,
        high=high,
        std=float(finite.std(ddof=1)) if several else math.nan,
        median=_median(ranked[~np.isnan(ranked)]),
        count=int((~np.isnan(ranked)).sum()),
        infinite=int(infinite.sum()),
    )


def _mean_of_finite(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the finite values of each row (B, K); NaN if there is none."""
    finite = np.isfinite(rows)
    means = np.full(len(rows), math.nan)
    whole, some = finite.all(axis=1), finite.any(axis=1)
    if rows.shape[1] and whole.any():
        means[whole] = np.ascontiguousarray(rows[whole]).mean(axis=1)
    for index in np.flatnonzero(some & ~whole):
        means[index] = rows[index][finite[index]].mean()
    return means


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _median(values: NDArray[np.float64]) -> float:
    """Return the median; with infinite values among them, too."""
    if not len(values):
        return math.nan
    ordered = np.sort(values)
    upper, lower = ordered[len(ordered) // 2], ordered[(len(ordered) - 1) // 2]
    return float(upper if upper == lower else (upper + lower) / 2)


def interval(means: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % percentile interval of bootstrap means; NaN counts nowhere."""
    defined = means[~np.isnan(means)]
    if not len(defined):
        return math.nan, math.nan
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [edge, 1 - edge])
    return float(low), float(high)


def caution(cases: int) -> str:
    """Return a warning of intervals over so few cases; empty for enough of them.

    Examples
    --------
    >>> caution(3)
    'Of 3 cases only, these intervals are too narrow to rely on.'
    """
    if cases >= FEW:
        return ""
    if cases < 2:
        return "Of one case there is no interval: another one may score otherwise."
    return (
        f"Of {amount(cases, 'case')} only, these intervals are too narrow to rely on."
    )
