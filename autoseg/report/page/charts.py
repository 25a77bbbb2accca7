"""The charts of a report's page: intensities, curves, scores, calibration."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.evaluate.measures import measure_of
from autoseg.figures.figure import PALETTE
from autoseg.report.page.curves import plot_curves
from autoseg.report.page.html import data_uri, score, short
from autoseg.report.page.plots import histogram, reliability, scatter
from autoseg.report.page.sections import scored
from autoseg.report.page.strips import Strip, strips
from autoseg.report.pictures.layers import class_colors
from autoseg.train.after.results import Trained

Json = dict[str, Any]

UNIT_INTERVAL = ("dice", "nsd", "iou", "pq", "map", "ap_50", "seg", "f1")


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
    mean, low, high = (_number(found.get(key)) for key in ("mean", "low", "high"))
    return Strip(
        label=label,
        points=points,
        mean=mean,
        low=low,
        high=high,
        text=score(mean, measure),
        color=color,
    )


def _number(value: float | None) -> float:
    """Return a number of a summary; what is not known there is no number here."""
    return math.nan if value is None else value


def _caption(measure: str, one: Json) -> str:
    known = measure_of(measure)
    unit = f" [{one['scores']['unit']}]" if known.length else ""
    return f"{known.heading}{unit}"


def _ends(measure: str) -> tuple[float, float] | None:
    return (0.0, 1.0) if measure in UNIT_INTERVAL else None
