"""Is one run better than another on the same cases? Paired numbers and honest words.

Cases that belong together (those of one patient) are drawn, and flipped, together: they
are no independent witnesses.

References
----------
.. [1] Efron, "Bootstrap methods: another look at the jackknife", The Annals of
   Statistics 7(1), 1979. doi:10.1214/aos/1176344552
.. [2] Pitman, "Significance tests which may be applied to samples from any
   populations", Supplement to the Journal of the Royal Statistical Society 4(1), 1937.
   doi:10.2307/2984124
.. [3] Holm, "A simple sequentially rejective multiple test procedure", Scandinavian
   Journal of Statistics 6(2), 1979.
.. [4] Wiesenfarth et al., "Methods and open-source toolkit for analyzing and
   visualizing challenge results", Scientific Reports 11, 2021.
   doi:10.1038/s41598-021-82017-6
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoseg.evaluate.aggregate import CONFIDENCE, RESAMPLES, SEED
from autoseg.evaluate.measures import badness
from autoseg.evaluate.ranks import ranks

Floats = NDArray[np.float64]

EXACT = 12  # groups, up to which all flips are counted
FLIPS = 10_000  # at random, for more
LEAST = 6  # groups: with fewer, even if all agree, chance does so in 1 of 16 or more


@dataclass(frozen=True, kw_only=True)
class Pair:
    """How much better one run is than another, case by case.

    A gain is positive where the second run is better, whichever end of the measure is
    good. Where one run has no finite value (a class was missed, there is no distance)
    the gain is infinite: then the center is the median, not the mean, and the test is
    of ranks.

    Parameters
    ----------
    first, second : str
        Names of the runs.
    cases, groups : int
        Compared; groups of cases count as one witness each.
    center : str
        ``"mean"`` or ``"median"``.
    gain, low, high : float
        Center of the gains, and its 95 % confidence interval (bootstrap over groups).
    better, worse, equal : int
        Cases in which the second run is.
    p : float
        Of a two-sided paired permutation test; after Holm, where there are several
        pairs.
    gains : mapping of str to float
        By case.
    """

    first: str
    second: str
    cases: int
    groups: int
    center: str
    gain: float
    low: float
    high: float
    better: int
    worse: int
    equal: int
    p: float
    gains: Mapping[str, float]


def compare_pair(
    first: tuple[str, Mapping[str, float]],
    second: tuple[str, Mapping[str, float]],
    measure: str,
    groups: Mapping[str, str] | None = None,
    seed: int = SEED,
) -> Pair:
    """Compare two runs on the cases where both have a value.

    Parameters
    ----------
    first, second : (str, mapping of str to float)
        Name of a run, and its value for each case; NaN where there is none.
    measure : str
        Says which end is good; see `autoseg.evaluate.measures`.
    groups : mapping of str to str, optional
        Group of each case; by default each is one of its own.
    seed : int
        Of the random numbers.

    Returns
    -------
    Pair
        What was found.

    Examples
    --------
    >>> a = {"1": 0.8, "2": 0.7, "3": 0.9}
    >>> b = {"1": 0.9, "2": 0.8, "3": 1.0}
    >>> pair = compare_pair(("A", a), ("B", b), "dice")
    >>> round(pair.gain, 6), pair.better, pair.p
    (0.1, 3, 0.25)
    """
    gains = {}
    for case, value in first[1].items():
        other = second[1].get(case, math.nan)
        if not math.isnan(value) and not math.isnan(other):
            before, after = badness(measure, value), badness(measure, other)
            gains[case] = 0.0 if before == after else before - after
    values = np.array(list(gains.values()))
    of_case = [(groups or {}).get(case) or case for case in gains]
    _, members = np.unique(np.array(of_case, dtype=str), return_inverse=True)
    center = "median" if np.isinf(values).any() else "mean"
    low, high = _interval(values, members, center, seed)
    return Pair(
        first=first[0],
        second=second[0],
        cases=len(values),
        groups=int(members.max(initial=-1)) + 1,
        center=center,
        gain=_center(values, center),
        low=low,
        high=high,
        better=int((values > 0).sum()),
        worse=int((values < 0).sum()),
        equal=int((values == 0).sum()),
        p=_permutation(values, members, center, seed),
        gains=gains,
    )


def _center(values: Floats, center: str) -> float:
    if not len(values):
        return math.nan
    if center == "mean":
        return float(values.mean())
    ordered = np.sort(values)
    lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(lower if lower == upper else (lower + upper) / 2)


def _interval(
    values: Floats, members: NDArray[np.intp], center: str, seed: int
) -> tuple[float, float]:
    """Return the percentile bootstrap's interval, drawing groups."""
    count = int(members.max(initial=-1)) + 1
    if count < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    cases_of = [np.flatnonzero(members == group) for group in range(count)]
    centers = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, count, count)
        chosen = np.concatenate([cases_of[group] for group in drawn])
        centers.append(_center(values[chosen], center))
    edge = (1 - CONFIDENCE) / 2
    ends = np.quantile(centers, [edge, 1 - edge], method="closest_observation")
    return float(ends[0]), float(ends[1])


def _permutation(
    values: Floats, members: NDArray[np.intp], center: str, seed: int
) -> float:
    """Return how often chance gives as large a difference, were the runs the same.

    Then each group's gains could as well have the other sign.
    """
    count = int(members.max(initial=-1)) + 1
    if not count:
        return math.nan
    if center == "median":
        values = _signed_ranks(values)
    sums = np.bincount(members, weights=values, minlength=count)
    if count <= EXACT:
        signs = np.array(list(itertools.product((1, -1), repeat=count)))
    else:
        rng = np.random.default_rng(seed)
        signs = rng.integers(0, 2, (FLIPS, count)) * 2 - 1
    found = np.abs(signs @ sums)
    as_large = found >= abs(sums.sum()) * (1 - 1e-9)
    if count <= EXACT:
        return float(as_large.mean())
    return float((as_large.sum() + 1) / (FLIPS + 1))


def _signed_ranks(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * ranks(np.abs(values)))


def holm(pairs: Sequence[Pair]) -> list[Pair]:
    """Return pairs with p corrected for how many there are, after Holm."""
    order = sorted(range(len(pairs)), key=lambda i: pairs[i].p)
    corrected = list(pairs)
    least = 0.0
    for place, index in enumerate(order):
        p = pairs[index].p
        if not math.isnan(p):
            least = max(least, min(1.0, p * (len(pairs) - place)))
            corrected[index] = replace(pairs[index], p=least)
    return corrected


def verdict(pair: Pair, margin: float = 0.0) -> tuple[str, str]:
    """Return what a pair says, as a word and as a sentence.

    Parameters
    ----------
    pair : Pair
        What was found.
    margin : float
        Gains below this do not matter in practice; 0: every one does.

    Returns
    -------
    word, sentence : str
        The word is ``"better"`` (the second run is), ``"worse"``, ``"same"`` (within
        the margin), ``"undecided"`` or ``"too few"``.
    """
    first, second = pair.first, pair.second
    if pair.groups < LEAST:
        return "too few", (
            f"{pair.groups} independent cases are too few to tell whether {second} is "
            f"better than {first}: at least {LEAST} are needed."
        )
    sure = pair.p < 1 - CONFIDENCE
    if margin > 0 and -margin < pair.low and pair.high < margin:
        return "same", f"{second} and {first} are the same within the margin given."
    if sure and pair.low > 0:
        slight = margin > 0 and pair.low < margin
        more = ", though perhaps by less than the margin" if slight else ""
        return "better", f"{second} is better than {first} on these cases{more}."
    if sure and pair.high < 0:
        slight = margin > 0 and pair.high > -margin
        more = ", though perhaps by less than the margin" if slight else ""
        return "worse", f"{second} is worse than {first} on these cases{more}."
    return "undecided", (
        f"These cases do not decide between {first} and {second}: the difference may "
        "have either sign, or be due to chance."
    )


def rank_shares(
    values: Mapping[str, Mapping[str, float]],
    measure: str,
    groups: Mapping[str, str] | None = None,
    seed: int = SEED,
) -> dict[str, list[float]]:
    """Return how often each run comes first, second, ... if other cases are drawn.

    Parameters
    ----------
    values : mapping of str to mapping of str to float
        By run and case. Only cases count where every run has a value.
    measure : str
        Says which end is good.
    groups : mapping of str to str, optional
        Group of each case.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to list of float
        For each run the share of the bootstrap samples in which it has rank 1, 2, ...;
        runs that tie share their ranks' lower number.
    """
    names = list(values)
    common = [
        case
        for case in values[names[0]]
        if all(not math.isnan(values[name].get(case, math.nan)) for name in names)
    ]
    table = np.array(
        [[badness(measure, values[name][case]) for name in names] for case in common]
    ).reshape(len(common), len(names))
    if np.isinf(table).any():
        table = np.stack(
            [ranks(row) for row in table]
        )  # means of infinite values rank nothing
    of_case = np.array([(groups or {}).get(case) or case for case in common], dtype=str)
    _, members = np.unique(of_case, return_inverse=True)
    count = int(members.max(initial=-1)) + 1
    sums = np.stack(
        [np.bincount(members, column, minlength=count) for column in table.T]
    )
    sizes = np.bincount(members, minlength=count)
    drawn = np.random.default_rng(seed).multinomial(
        max(count, 1), np.full(max(count, 1), 1 / max(count, 1)), size=RESAMPLES
    )[:, :count]
    means = (drawn @ sums.T) / np.maximum(drawn @ sizes, 1)[:, None]
    better = (means[:, None, :] < means[:, :, None] - 1e-12).sum(axis=2)
    return {
        name: [float((better[:, i] == rank).mean()) for rank in range(len(names))]
        for i, name in enumerate(names)
    }
