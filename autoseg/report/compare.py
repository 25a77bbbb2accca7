"""Several runs on the same cases, side by side: numbers, a verdict and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from autoseg import __version__
from autoseg.errors import UsageError
from autoseg.evaluate.aggregate import aggregate, metric_names
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
from autoseg.evaluate.summary import plain
from autoseg.report._figure import PALETTE
from autoseg.report._html import gain_text, render, score
from autoseg.report._svg import Strip, strips
from autoseg.report.runs import Run
from autoseg.spec.json import dumps, to_json, write_text

SCHEMA = 1
MEAN = "mean over classes"
DISTANCES = ("mre", "nme")  # of landmarks
CAVEAT = (
    "This is about these cases, and about these very trainings: another seed, or other "
    "cases of another kind, may turn out differently."
)


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
    """

    runs: tuple[Run, ...]
    measure: str
    margin: float
    cases: tuple[str, ...]
    left_out: Mapping[str, int]
    values: Mapping[str, Mapping[str, float]]
    pairs: Mapping[str, tuple[Pair, ...]]
    ranks: Mapping[str, list[float]]

    def sentences(self) -> list[str]:
        """Return what it comes to, a sentence or two for each pair."""
        return [
            f"{verdict(pair, self.margin)[1]} {numbers(pair, self.measure)}"
            for pair in self.pairs[MEAN]
        ]


def compare(
    runs: Sequence[Run],
    *,
    measure: str | None = None,
    margin: float = 0.0,
    groups: Mapping[str, str] | None = None,
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

    Returns
    -------
    Comparison
        With numbers for each class, and over all.

    Raises
    ------
    UsageError
        If the runs have no case or class in common, or not this measure.
    """
    cases = [
        c for c in runs[0].summary.cases if all(c in r.summary.cases for r in runs)
    ]
    classes = [
        name
        for name in runs[0].summary.classes
        if all(name in run.summary.classes for run in runs)
    ]
    if not cases or not classes:
        what = "class" if cases else "case"
        raise UsageError(f"the runs have no {what} in common, so nothing is compared.")
    every = [metric_names(run.summary.cases) for run in runs]
    measures = [m for m in every[0] if all(m in others for others in every)]
    chosen = measure or main_measure(measures)
    if chosen not in measures:
        raise UsageError(
            f"not every run has the measure {chosen!r}; all have "
            f"{', '.join(measures) or 'none'}."
        )
    _same_tolerance(runs, cases, chosen)
    tables = {
        name: {run.name: _values(run, cases, [name], chosen) for run in runs}
        for name in classes
    }
    tables = {MEAN: {r.name: _values(r, cases, classes, chosen) for r in runs}} | tables
    pairs = {
        name: tuple(
            holm(
                [
                    compare_pair((a, table[a]), (b, table[b]), chosen, groups)
                    for a, b in combinations(table, 2)
                ]
            )
        )
        for name, table in tables.items()
    }
    return Comparison(
        runs=tuple(runs),
        measure=chosen,
        margin=margin,
        cases=tuple(cases),
        left_out={r.name: len(r.summary.cases) - len(cases) for r in runs},
        values=tables[MEAN],
        pairs=pairs,
        ranks=rank_shares(tables[MEAN], chosen, groups),
    )


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


def write_comparison(found: Comparison, page: Path) -> None:
    """Write a comparison as a page, and its numbers as JSON beside it.

    Parameters
    ----------
    found : Comparison
        What `compare` found.
    page : Path
        An ``.html`` file.
    """
    content = _content(found)
    html = render(
        "compare.html",
        title="Comparison",
        subtitle=", ".join(run.name for run in found.runs),
        tiles=_tiles(found),
        sections=[("answer", "Answer"), ("runs", "Runs"), ("pairs", "Pairs"),
                  ("ranks", "Ranks")],
        content=content,
        charts={"runs": _run_strips(found), "gains": _gain_strips(found)},
        caveat=CAVEAT,
        json_name=page.with_suffix(".json").name,
    )  # fmt: skip
    write_text(page.with_suffix(".json"), dumps(plain(content)))
    write_text(page, html)


def _content(found: Comparison) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "autoseg": __version__,
        "measure": found.measure,
        "heading": measure_of(found.measure).heading,
        "margin": found.margin,
        "cases": list(found.cases),
        "runs": [
            {
                "name": run.name,
                "source": str(run.source),
                "left_out": found.left_out[run.name],
                "scores": to_json(_statistic(found, run.name)),
                "ranks": found.ranks[run.name],
            }
            for run in found.runs
        ],
        "answers": [
            {
                "word": verdict(pair, found.margin)[0],
                "sentence": verdict(pair, found.margin)[1],
                "numbers": numbers(pair, found.measure),
            }
            for pair in found.pairs[MEAN]
        ],
        "pairs": {
            name: [
                to_json(pair) | {"word": verdict(pair, found.margin)[0]}
                for pair in pairs
            ]
            for name, pairs in found.pairs.items()
        },
    }


def _statistic(found: Comparison, name: str) -> Any:
    cases = {
        case: {MEAN: {found.measure: value}}
        for case, value in found.values[name].items()
    }
    return aggregate(cases)[0][MEAN][found.measure]


def _tiles(found: Comparison) -> list[dict[str, str]]:
    first = max(found.ranks, key=lambda name: found.ranks[name][0])
    return [
        {"name": "runs", "value": str(len(found.runs))},
        {"name": "cases that all have", "value": str(len(found.cases))},
        {"name": "compared by", "value": measure_of(found.measure).heading},
        {"name": f"{first} comes first", "value": f"{found.ranks[first][0]:.0%}"},
    ]


def _run_strips(found: Comparison) -> str:
    rows = []
    for number, run in enumerate(found.runs):
        its = _statistic(found, run.name)
        rows.append(
            Strip(
                label=run.name,
                points=[
                    (value, f"{case}: {score(value, found.measure)}")
                    for case, value in found.values[run.name].items()
                ],
                mean=its.mean,
                low=its.low,
                high=its.high,
                text=score(its.mean, found.measure),
                color=PALETTE[(number + 6) % len(PALETTE)],
            )
        )
    return strips(rows, f"{measure_of(found.measure).heading}, {MEAN}; a dot is a case")


def _gain_strips(found: Comparison) -> str:
    rows = [
        Strip(
            label=f"{pair.second} over {pair.first}",
            points=[
                (gain, f"{case}: {gain_text(gain, found.measure)}")
                for case, gain in pair.gains.items()
            ],
            mean=pair.gain,
            low=pair.low,
            high=pair.high,
            text=gain_text(pair.gain, found.measure),
        )
        for pair in found.pairs[MEAN]
    ]
    heading = measure_of(found.measure).heading
    return strips(rows, f"gain in {heading}: right of the line is better", mark=0.0)
