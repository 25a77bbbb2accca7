"""What a page shows beside its content: title, tiles, sections and rows of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.evaluate.aggregate import caution
from autoseg.evaluate.measures import mean_over_classes, measure_of
from autoseg.evaluate.summary import LENGTHS, columns
from autoseg.report.page.html import score, short

Json = dict[str, Any]

MOST_ROWS = 4000  # of a table; with more, only the means of the cases are listed


def frame(content: Json, pictures: bool = True) -> Json:
    """Return title, subtitle, tiles and the names of the sections.

    ``pictures`` says whether cases are shown.
    """
    data = content["data"]
    with_scores = scored(content)
    tiles = [
        {"name": "training cases", "value": short(data["training_cases"])},
        _what(data),
        {"name": "median size in voxels", "value": _size(data["shape"]["median"])},
    ]
    tiles += _reached(content, with_scores)
    folds = [fold for one in content["trained"] for fold in one["folds"]]
    done = sum(fold["finished"] for fold in folds)
    if folds:
        wanted = len(folds) + sum(len(one["not_begun"]) for one in content["trained"])
        tiles.append({"name": "folds trained", "value": f"{done} of {wanted}"})
    sections = [("data", "Data")]
    sections += [("plan", "Plan")] if content["plans"] else []
    sections += [("training", "Training")] if content["trained"] else []
    sections += [("costs", "Time and memory")] if content["stages"] else []
    if with_scores:
        sections += [("scores", "Scores")]
        sections += [("cases", "Cases")] if pictures else []
        known = any(one["calibration"] for one in with_scores)
        sections += [("calibration", "Calibration")] if known else []
    sections += [("selection", "Chosen model")] if content["selection"] else []
    sections += [("failures", "Failures")] if content["trained"] else []
    sections += [("predictions", "Predictions")] if content["predictions"] else []
    return {
        "title": data["name"],
        "subtitle": f"{data['task']}, {data['dim']}-D, {', '.join(data['channels'])}",
        "tiles": tiles,
        "sections": sections,
    }


def _reached(content: Json, with_scores: Sequence[Json]) -> list[Json]:
    """Return the tile of the score: of the chosen model, or else of the best one."""
    chosen, best = content["selection"], best_of(with_scores)
    if chosen and not chosen["outdated"]:
        measure, mean, name = chosen["by"], chosen["final"]["mean"], "chosen model"
    elif best is not None:
        measure, name = best["measure"], best["configuration"]
        mean = best["scores"]["foreground"][measure]["mean"]
    else:
        return []
    unit = f" {content['data']['unit']}" if measure in LENGTHS else ""
    heading = f"{measure_of(measure).heading}, {name}"
    return [{"name": heading, "value": score(mean, measure) + unit}]


def _what(data: Json) -> Json:
    """Return the tile that says how much there is to find."""
    if data["landmarks"]:
        return {"name": "landmarks", "value": str(len(data["landmarks"]))}
    if data["objects"]:
        found = sum(of["objects"] or 0 for of in data["classes"].values())
        return {"name": "instances", "value": short(found)}
    return {"name": "classes", "value": str(len(data["classes"]))}


def _size(values: Sequence[float]) -> str:
    return " × ".join(f"{value:.0f}" for value in values)


def best_of(with_scores: Sequence[Json]) -> Json | None:
    """Return the configuration of the best mean; None if none has one."""
    known = [
        one
        for one in with_scores
        if math.isfinite(one["scores"]["foreground"][one["measure"]]["mean"])
    ]

    def key(one: Json) -> float:
        mean = one["scores"]["foreground"][one["measure"]]["mean"]
        return float(mean if measure_of(one["measure"]).better == "higher" else -mean)

    return max(known, key=key, default=None)


def scored(content: Json) -> list[Json]:
    """Return what has scores, with the measures to show and rows for each case."""
    found = []
    for one in content["trained"]:
        if one["scores"] is None:
            continue
        there = one["scores"]["foreground"]
        shown = columns(there)
        if one["measure"] not in shown:
            shown = [one["measure"], *shown]
        classes = list(one["scores"]["classes"])
        every = len(one["cases"]) * (len(classes) + 1) <= MOST_ROWS
        own = _of_cases(one["cases"], shown)
        rows = _rows(one["cases"], classes if every else [], own)
        found.append(
            one | {"measures": shown, "case_measures": own, "rows": rows,
                   "all_rows": every, "caution": caution(one["scores"]["cases"])}
        )  # fmt: skip
    return found


def _of_cases(cases: Sequence[Json], shown: Sequence[str]) -> list[str]:
    """Return the measures that single cases have.

    In place of one that is pooled over the objects of all cases stands that of the
    objects of the case alone.
    """
    there = {name for case in cases for of in case["classes"].values() for name in of}
    names = (name.removesuffix("_pooled") for name in shown)
    return [n for n in dict.fromkeys(names) if n in there and n != "count_error"]


def _rows(
    cases: Sequence[Json], classes: Sequence[str], shown: Sequence[str]
) -> list[Json]:
    rows = []
    for case in cases:
        means = {name: mean_over_classes(case["classes"], name) for name in shown}
        rows.append(_row(case, "mean", "mean over classes", means))
    for case in cases:
        for name in classes:
            scores = case["classes"].get(name, {})
            its = {key: scores.get(key, math.nan) for key in shown}
            rows.append(_row(case, f"class {name}", name, its))
    return rows


def _row(case: Json, kind: str, name: str, scores: Mapping[str, float]) -> Json:
    return {
        "case": case["case"],
        "fold": case["fold"],
        "kind": kind,
        "class": name,
        "scores": dict(scores),
    }


def largest_share(data: Json) -> float:
    """Return the largest class's share of all voxels, to draw bars by."""
    shares = [found.get("frequency") or 0.0 for found in data["classes"].values()]
    return max([*shares, 1e-12])
