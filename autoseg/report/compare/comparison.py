"""Several runs on the same cases, side by side: numbers, a verdict and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from autoseg.errors import UsageError, did_you_mean
from autoseg.evaluate.aggregate import metric_names
from autoseg.evaluate.compare import (
    Pair,
    compare_pair,
    holm,
    rank_shares,
    verdict,
)
from autoseg.evaluate.measures import (
    main_measure,
    mean_over_classes,
    measure_of,
)
from autoseg.report.compare.costs import Cost, read_costs, require_equal
from autoseg.report.compare.costs import sentence as cost_sentence
from autoseg.report.compare.runs import Run
from autoseg.report.page.html import gain_text

SCHEMA = 1
MEAN = "mean over classes"
DISTANCES = ("mre", "nme")  # of landmarks


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found about several runs.

    Parameters
    ----------
    runs : tuple of Run
        As they were given.
    measure : str
        What they were compared by.
    margin : float
        Gains below it do not matter.
    cases : tuple of str
        Those that every run has.
    left_out : mapping of str to int
        Cases of each run that some other run lacks.
    values : mapping of str to mapping of str to float
        By run and case: the mean over classes.
    pairs : mapping of str to tuple of Pair
        By class, and over all classes.
    ranks : mapping of str to list of float
        See `autoseg.evaluate.compare.rank_shares`.
    costs : mapping of str to Cost
        Of the runs that are trained folds or configurations.
    """

    runs: tuple[Run, ...]
    measure: str
    margin: float
    cases: tuple[str, ...]
    left_out: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]
    pairs: Mapping[str, tuple[Pair, ...]]
    ranks: Mapping[str, list[float]]
    costs: Mapping[str, Cost] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return what it comes to, a sentence or two for each pair."""
        said = [
            f"{verdict(pair, self.margin)[1]} {numbers(pair, self.measure)}"
            for pair in self.pairs[MEAN]
        ]
        cost = cost_sentence(self.costs) if len(self.costs) > 1 else ""
        return [*said, cost] if cost else said


def compare(
    runs: Sequence[Run],
    *,
    measure: str | None = None,
    margin: float = 0.0,
    groups: Mapping[str, str] | None = None,
    equal: str | None = None,
) -> Comparison:
    """Compare runs on the cases and classes that all of them have.

    Parameters
    ----------
    runs : sequence of Run
        Two or more.
    measure : str, optional
        By default Dice, or the first that the task has.
    margin : float
        Gains below it do not matter in practice.
    groups : mapping of str to str, optional
        Group of each case: those of one patient count as one witness.
    equal : str, optional
        ``"time"``, ``"iterations"`` or ``"memory"``: refuse runs that differ in it.

    Returns
    -------
    Comparison
        With numbers for each class, and over all.

    Raises
    ------
    UsageError
        If the runs have no case or class in common, or not this measure, or differ in
        what is to be equal.
    """
    costs = read_costs(runs)
    if equal is not None:
        require_equal(equal, costs, runs)
    cases, classes = _in_common(runs)
    chosen = _measure(runs, measure)
    _same_tolerance(runs, cases, chosen)
    tables = {MEAN: _table(runs, cases, classes, chosen)}
    for name in classes:
        tables[name] = _table(runs, cases, [name], chosen)
    return Comparison(
        runs=tuple(runs),
        measure=chosen,
        margin=margin,
        cases=tuple(cases),
        left_out={r.name: len(r.summary.cases) - len(cases) for r in runs},
        values=tables[MEAN],
        pairs={name: _pairs(table, chosen, groups) for name, table in tables.items()},
        ranks=rank_shares(tables[MEAN], chosen, groups),
        costs=costs,
    )


def _in_common(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    """Return the cases and the classes that every run has."""
    first, *others = [run.summary for run in runs]
    cases = [c for c in first.cases if all(c in other.cases for other in others)]
    classes = [c for c in first.classes if all(c in other.classes for other in others)]
    if not cases or not classes:
        what = "class" if cases else "case"
        raise UsageError(f"the runs have no {what} in common, so nothing is compared.")
    return cases, classes


def _measure(runs: Sequence[Run], wanted: str | None) -> str:
    """Return what to compare by: what is wanted, or the first that the task has."""
    first, *others = [metric_names(run.summary.cases) for run in runs]
    measures = [m for m in first if all(m in other for other in others)]
    chosen = wanted or main_measure(measures)
    if chosen not in measures:
        raise UsageError(
            f"not every run has the measure {chosen!r}."
            f"{did_you_mean(chosen, measures)} All have "
            f"{', '.join(measures) or 'none'}."
        )
    return chosen


def _table(
    runs: Sequence[Run], cases: Sequence[str], classes: Sequence[str], measure: str
) -> dict[str, dict[str, float]]:
    """Return by run and case the mean of a measure over classes."""
    return {run.name: _values(run, cases, classes, measure) for run in runs}


def _pairs(
    table: Mapping[str, Mapping[str, float]],
    measure: str,
    groups: Mapping[str, str] | None,
) -> tuple[Pair, ...]:
    """Compare every two runs; p values are corrected for how many pairs there are."""
    pairs = [
        compare_pair((one, table[one]), (other, table[other]), measure, groups)
        for one, other in combinations(table, 2)
    ]
    return tuple(holm(pairs))


def _same_tolerance(runs: Sequence[Run], cases: Sequence[str], measure: str) -> None:
    """Refuse to compare NSDs at different tolerances."""
    if measure != "nsd":
        return
    for case in cases:
        found = {
            round(scores.get("tolerance", math.nan), 6)
            for run in runs
            for scores in run.summary.cases[case].values()
        }
        if len(found) > 1:
            raise UsageError(
                f"the NSD of {case} was taken at tolerances of "
                f"{', '.join(map(str, sorted(found)))}; score all runs at one."
            )


def _values(
    run: Run, cases: Sequence[str], classes: Sequence[str], measure: str
) -> dict[str, float]:
    return {
        case: mean_over_classes(
            {name: _own(run.summary.cases[case], name, measure) for name in classes},
            measure,
        )
        for case in cases
    }


def _own(
    scores: Mapping[str, Mapping[str, float]], name: str, measure: str
) -> Mapping[str, float]:
    """Return the scores of one class, a landmark that was missed infinitely far away.

    Otherwise a tool would win by leaving out what is hard.
    """
    of = scores.get(name, {})
    wrong = of.get("fn", 0) + of.get("fp", 0) > 0
    if measure in DISTANCES and wrong and math.isnan(of.get(measure, math.nan)):
        return {**of, measure: math.inf}
    return of


def numbers(pair: Pair, measure: str) -> str:
    """Return a pair's numbers as a sentence."""
    heading = measure_of(measure).heading
    what = f"{pair.center.capitalize()} gain in {heading}"
    gain, low, high = (gain_text(v, measure) for v in (pair.gain, pair.low, pair.high))
    witnesses = f"{pair.cases} cases"
    if pair.groups < pair.cases:
        witnesses += f" of {pair.groups} groups"
    return (
        f"{what} {gain} [{low}, {high}] over {witnesses}, p = {pair.p:.2g}; better in "
        f"{pair.better}, worse in {pair.worse}, equal in {pair.equal}."
    )
