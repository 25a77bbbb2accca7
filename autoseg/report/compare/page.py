"""A comparison as a page, with its numbers beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autoseg import __version__
from autoseg.evaluate.aggregate import aggregate
from autoseg.evaluate.compare import verdict
from autoseg.evaluate.measures import measure_of
from autoseg.evaluate.numbers import plain
from autoseg.figures.figure import PALETTE
from autoseg.report.compare.comparison import MEAN, Comparison, numbers
from autoseg.report.compare.costs import Cost, sentence
from autoseg.report.page.html import gain_text, render, score
from autoseg.report.page.plots import Mark, tradeoff
from autoseg.report.page.strips import Strip, strips
from autoseg.spec.json import dumps, to_json, write_text

SCHEMA = 1
CAVEAT = (
    "This is about these cases, and about these very trainings: another seed, or other "
    "cases of another kind, may turn out differently."
)


# What is drawn across, by its name.
COSTS: dict[str, Callable[[Cost], float | None]] = {
    "minutes of training": lambda cost: cost.seconds / 60,
    "10⁹ operations a step": lambda cost: _billions(cost.operations),
    "GB of a step": lambda cost: _billions(cost.memory),
}


def _billions(value: float | None) -> float | None:
    return None if value is None else value / 1e9


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
                  *[("costs", "Costs")] * bool(found.costs), ("ranks", "Ranks")],
        content=content,
        charts={
            "runs": _run_strips(found),
            "gains": _gain_strips(found),
            "costs": _over_costs(found),
        },
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
                "cost": to_json(found.costs.get(run.name)),
            }
            for run in found.runs
        ],
        "costs": sentence(found.costs) if len(found.costs) > 1 else "",
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
                color=_color(number),
            )
        )
    return strips(rows, f"{measure_of(found.measure).heading}, {MEAN}; a dot is a case")


def _over_costs(found: Comparison) -> list[str]:
    """Draw what was reached over each cost that is known of all trained runs."""
    heading, drawn = measure_of(found.measure).heading, []
    for across, of in COSTS.items():
        known = {name: of(cost) for name, cost in found.costs.items()}
        marks = []
        for number, run in enumerate(found.runs):
            value = known.get(run.name)
            if value is None:
                continue
            its = _statistic(found, run.name)
            marks.append(
                Mark(
                    across=value,
                    up=its.mean,
                    low=its.low,
                    high=its.high,
                    name=run.name,
                    color=_color(number),
                )
            )
        if marks:
            drawn.append(tradeoff(marks, across, heading))
    return drawn


def _color(number: int) -> str:
    return PALETTE[(number + 6) % len(PALETTE)]


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
