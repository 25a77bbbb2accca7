"""Landmarks summed up: each over all cases, and all of them together."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.evaluate.aggregate import Scores
from autoseg.metrics.points import area_under_errors, area_under_roc, presence
from autoseg.spec.foreign.cells import text_cell
from autoseg.spec.json import write_text

Array = NDArray[np.float64]
Numbers = Mapping[str, Mapping[str, float]]

ALL = "all points"
LIMITS = (0.08, 0.1)  # of the normalized error: failure rate and area under the curve
RATES = ("sdr_", "pck_", "covered_")
RESAMPLES = 2000
SEED = 0
POINT_TABLE = "landmarks.csv"


def summarize_points(cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
    """Sum up the scores of landmarks.

    Parameters
    ----------
    cases : mapping of str to mapping
        By case id, landmark and metric, from `autoseg.metrics.points.score_points`.

    Returns
    -------
    dict of str to dict of str to float
        By landmark, and for ``"all points"`` together (micro: every point counts the
        same). ``count``: points that were found; ``mre`` with ``mre_sd``,
        ``mre_median`` and ``mre_p95``; the means of ``sdr_R``, ``pck_F``,
        ``covered_Q`` and ``nme``; ``precision``, ``recall``, ``f1`` and ``auroc`` of
        presence. All points have ``mre_low`` and ``mre_high``, a 95 % interval by a
        bootstrap over cases, and from the mean normalized error of each case the
        ``failure_rate_P`` over P percent and the ``auc_P`` up to there.

    Examples
    --------
    >>> tip = {"mre": 2.0, "sdr_2": 1.0, "tp": 1.0, "fp": 0.0, "fn": 0.0}
    >>> summarize_points({"a": {"tip": tip}})["all points"]["sdr_2"]
    1.0
    """
    names = list(dict.fromkeys(name for case in cases.values() for name in case))
    summary = {
        name: _numbers([case[name] for case in cases.values() if name in case])
        for name in names
    }
    everything = _numbers([of for case in cases.values() for of in case.values()])
    everything |= _interval(cases)
    everything |= _failures(cases)
    return {**summary, ALL: everything}


def write_point_table(path: Path, summary: Numbers) -> None:
    """Write a row for each landmark as CSV; empty where not defined.

    Parameters
    ----------
    path : Path
        The file.
    summary : mapping of str to mapping of str to float
        From `summarize_points`.
    """
    metrics = list(dict.fromkeys(metric for of in summary.values() for metric in of))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["landmark", *metrics])
    for name, of in summary.items():
        values = [of.get(metric, math.nan) for metric in metrics]
        cells = ["" if math.isnan(value) else repr(value) for value in values]
        writer.writerow([text_cell(name), *cells])
    write_text(path, text.getvalue())


def _numbers(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    errors = _values(rows, "mre")
    found = {"count": float(len(errors))}
    if len(errors):
        found["mre"] = float(errors.mean())
        found["mre_sd"] = float(errors.std(ddof=1)) if len(errors) > 1 else math.nan
        found["mre_median"] = float(np.median(errors))
        found["mre_p95"] = float(np.quantile(errors, 0.95))
    for metric in dict.fromkeys(metric for row in rows for metric in row):
        values = _values(rows, metric)
        if (metric.startswith(RATES) or metric == "nme") and len(values):
            found[metric] = float(values.mean())
    counts = {name: float(_values(rows, name).sum()) for name in ("tp", "fp", "fn")}
    found |= presence(counts)
    scored = [row for row in rows if not math.isnan(row.get("score", math.nan))]
    found["auroc"] = area_under_roc(
        np.array([row["score"] for row in scored]),
        np.array([row["tp"] + row["fn"] > 0 for row in scored], dtype=bool),
    )
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _values(rows: Sequence[Mapping[str, float]], metric: str) -> Array:
    values = np.array([row.get(metric, math.nan) for row in rows], dtype=np.float64)
    return values[~np.isnan(values)]


def _interval(cases: Mapping[str, Scores]) -> dict[str, float]:
    """Return a percentile interval of the mean error over all points."""
    by_case = [_values(list(case.values()), "mre") for case in cases.values()]
    by_case = [errors for errors in by_case if len(errors)]
    if len(by_case) < 2:
        return {}
    sums = np.array([errors.sum() for errors in by_case])
    counts = np.array([len(errors) for errors in by_case])
    weights = np.random.default_rng(SEED).multinomial(
        len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES
    )
    low, high = np.quantile((weights @ sums) / (weights @ counts), [0.025, 0.975])
    return {"mre_low": float(low), "mre_high": float(high)}


def _failures(cases: Mapping[str, Scores]) -> dict[str, float]:
    """Return rates of the cases' mean normalized errors; nothing found is a failure."""
    errors = []
    for case in cases.values():
        rows = list(case.values())
        found, missed = _values(rows, "nme"), _values(rows, "fn").sum()
        if len(found):
            errors.append(found.mean())
        elif missed:
            errors.append(math.inf)
    numbers: dict[str, float] = {}
    for limit in LIMITS if errors else ():
        percent = f"{100 * limit:g}"
        failed = np.array(errors) > limit
        numbers[f"failure_rate_{percent}"] = float(failed.mean())
        numbers[f"auc_{percent}"] = area_under_errors(np.array(errors), limit)
    return numbers
