"""What a report's template shows beside its content: tiles, charts, rows of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.evaluate.measures import mean_over_classes, measure_of
from autoseg.evaluate.summary import LENGTHS, columns
from autoseg.report._curves import plot_curves
from autoseg.report._figure import PALETTE
from autoseg.report._html import data_uri, score, short
from autoseg.report._layers import class_colors
from autoseg.report._plots import histogram, reliability, scatter
from autoseg.report._svg import Strip, strips
from autoseg.train.after.results import Trained

Json = dict[str, Any]

MOST_ROWS = 4000  # of a table; with more, only the means of the cases are listed
UNIT_INTERVAL = ("dice", "nsd", "iou", "pq", "map", "ap_50", "seg", "f1")


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
        tiles.append({"name": "folds trained", "value": f"{done} of {len(folds)}"})
    sections = [("data", "Data")]
    sections += [("plan", "Plan")] if content["plans"] else []
    sections += [("training", "Training")] if content["trained"] else []
    if with_scores:
        sections += [("scores", "Scores")]
        sections += [("cases", "Cases")] if pictures else []
        sections += [("calibration", "Calibration")]
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
                   "all_rows": every}
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


def charts(content: Json, trained: Sequence[Trained]) -> Json:
    """Draw all charts: SVG text, or what an ``img`` element shows."""
    with_scores = scored(content)
    curves = {}
    for one in trained:
        logs = {fold.name: fold.log for fold in one.folds if fold.log}
        if any("loss" in entry for log in logs.values() for entry in log):
            curves[one.name] = data_uri(plot_curves(logs))
    return {
        "intensities": _intensities(content["data"]["intensities"]),
        "histograms": _histograms(content["data"]["intensities"]),
        "curves": curves,
        "calibration": {one["name"]: calibration(one) for one in with_scores},
        "classes": {one["name"]: _class_strips(one) for one in with_scores},
        "overview": _overview(with_scores),
    }


def _intensities(found: Mapping[str, Mapping[str, float]]) -> str:
    if not found:
        return ""
    rows = [
        Strip(
            label=name,
            points=[
                (numbers["min"], f"least: {short(numbers['min'])}"),
                (numbers["max"], f"largest: {short(numbers['max'])}"),
            ],
            mean=numbers["median"],
            low=numbers["percentile_00_5"],
            high=numbers["percentile_99_5"],
            text=f"median {short(numbers['median'])}",
        )
        for name, numbers in found.items()
    ]
    return strips(rows, "intensity of foreground voxels of all training cases")


def _histograms(found: Mapping[str, Mapping[str, Any]]) -> Json:
    """Draw the histogram of each channel whose fingerprint has one."""
    return {
        name: histogram(
            numbers["histogram"]["start"], numbers["histogram"]["width"],
            numbers["histogram"]["shares"], f"{name}, 0.5 to 99.5 percentile",
            "var(--accent)",
        )
        for name, numbers in found.items()
        if numbers.get("histogram")
    }  # fmt: skip


def calibration(one: Json) -> Json:
    """Draw what is known of the calibration of one configuration."""
    found = one["calibration"]
    if not found:
        return {}
    colors = class_colors(found["classes"])
    if found["kind"] == "errors":
        curve = [(part["said"], part["seen"]) for part in found["bins"]]
        names = "expected error", "true error"
        return {"pairs": scatter(found["pairs"], curve, "var(--accent)", *names,
                                 logarithmic=True)}  # fmt: skip
    drawn = {}
    what = "probability" if found["kind"] == "probabilities" else "score"
    for name, numbers in found["classes"].items():
        if numbers:
            bins = [(b["said"], b["seen"], b["share"]) for b in numbers["bins"]]
            color = "var(--accent)" if what == "score" else colors[name]
            drawn[name] = reliability(bins, color, what, "share that is right")
    if found["kind"] == "scores":
        drawn["pairs"] = scatter(
            found["pairs"], _means(found["pairs"]), "var(--accent)", "score", "IoU",
            diagonal=False,
        )  # fmt: skip
    return drawn


def _means(pairs: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Return means of ten parts of pairs, sorted by their first value."""
    table = np.array(pairs)
    parts = np.array_split(table[np.argsort(table[:, 0], kind="stable")], 10)
    means = [part.mean(axis=0).tolist() for part in parts if len(part)]
    return [(float(a), float(b)) for a, b in means]


def _class_strips(one: Json) -> str:
    measure = one["measure"]
    colors = class_colors(one["scores"]["classes"])
    rows = []
    for name, found in one["scores"]["classes"].items():
        values = [(row, row["classes"].get(name, {})) for row in one["cases"]]
        points = [
            (of[measure], f"{row['case']}, {name}: {score(of[measure], measure)}")
            for row, of in values
            if measure in of
        ]
        rows.append(_strip(name, found.get(measure, {}), measure, points, colors[name]))
    return strips(rows, _caption(measure, one), ends=_ends(measure))


def _overview(with_scores: Sequence[Json]) -> str:
    """Compare the configurations: a dot is the mean of a case over its classes."""
    if not with_scores:
        return ""
    measure = with_scores[0]["measure"]
    rows = []
    for number, one in enumerate(with_scores):
        found = one["scores"]["foreground"].get(measure, {})
        points = [
            (row["mean"], f"{row['case']}: {score(row['mean'], measure)}")
            for row in one["cases"]
        ]
        color = PALETTE[(number + 6) % len(PALETTE)]
        rows.append(_strip(one["name"], found, measure, points, color))
    caption = f"mean over classes: {_caption(measure, with_scores[0])}"
    return strips(rows, caption, ends=_ends(measure))


def _strip(
    label: str,
    found: Mapping[str, Any],
    measure: str,
    points: Sequence[tuple[float, str]],
    color: str,
) -> Strip:
    mean = found.get("mean", math.nan)
    return Strip(
        label=label,
        points=points,
        mean=mean,
        low=found.get("low", math.nan),
        high=found.get("high", math.nan),
        text=score(mean, measure),
        color=color,
    )


def _caption(measure: str, one: Json) -> str:
    known = measure_of(measure)
    unit = f" [{one['scores']['unit']}]" if known.length else ""
    return f"{known.heading}{unit}"


def _ends(measure: str) -> tuple[float, float] | None:
    return (0.0, 1.0) if measure in UNIT_INTERVAL else None
