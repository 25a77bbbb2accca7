"""What an evaluation found: an object, JSON, a table for machines and for people."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from autoseg.errors import PlanError, amount
from autoseg.evaluate.aggregate import Scores, Statistic, caution, metric_names
from autoseg.evaluate.numbers import floats, plain
from autoseg.evaluate.points import ALL
from autoseg.metrics.instances import SIZES
from autoseg.metrics.points import QUANTILES, RADII
from autoseg.spec.foreign.cells import text_cell
from autoseg.spec.json import dumps, from_json, load_object, to_json, write_text
from autoseg.spec.shown.html import html_table

SCHEMA = 1

# Columns of the table for people: the first line of which a task has the first.
SHOWN = (
    (
        *("map_pooled", "ap_50_pooled", "ap_70_pooled", "ap_90_pooled", "map"),
        *("pq_pooled", "seg_pooled", "count_error_pooled"),
    ),
    ("mre", "sdr_1", "sdr_2", "sdr_2.5", "sdr_3", "sdr_4", "nme"),
    ("dice", "hd95", "assd", "nsd", "sensitivity", "precision", "volume_error"),
)
MOST_SHOWN = 7
WIDTH = 80  # letters of a terminal's line
WITH_INTERVAL = 2  # the columns after these are too many to have room for theirs
LENGTHS = ("hd95", "assd", "mre")
HEADINGS = {
    "dice": "Dice",
    "hd95": "HD95",
    "assd": "ASSD",
    "nsd": "NSD",
    "iou": "IoU",
    "sensitivity": "sens.",
    "precision": "prec.",
    "volume_error": "volume",
    "map": "mAP per image",
    "map_pooled": "mAP",
    "ap_50_pooled": "AP50",
    "ap_70_pooled": "AP70",
    "ap_90_pooled": "AP90",
    "pq_pooled": "PQ",
    "seg_pooled": "SEG",
    "count_error_pooled": "count",
    "mre": "MRE",
    "nme": "NME",
    **{f"sdr_{radius:g}": f"SDR@{radius:g}" for radius in RADII},
}
PERCENT = ("volume_error", "count_error_pooled")


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Scores of predictions, case by case and summed up.

    Parameters
    ----------
    unit : str
        Of all lengths.
    foreground : mapping of str to Statistic
        Over all classes, by metric.
    classes : mapping of str to mapping of str to Statistic
        By class and metric.
    cases : mapping of str to mapping
        By case id, class and metric. NaN: not defined.
    missing : tuple of str
        Annotated cases without a prediction.
    failed : mapping of str to str
        Why a case could not be scored.
    without_annotation : tuple of str
        Predictions that there is no annotation for.
    points : mapping of str to mapping of str to float
        Of landmarks: by name and over all points (`summarize_points`).
    schema : int
        Version of the file's layout.
    """

    unit: str
    foreground: Mapping[str, Statistic]
    classes: Mapping[str, Mapping[str, Statistic]]
    cases: Mapping[str, Scores]
    missing: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    without_annotation: tuple[str, ...] = ()
    points: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    schema: int = SCHEMA

    def mean(self, metric: str = "dice") -> float:
        """Return the mean over classes of a metric; NaN if it is not defined."""
        found = self.foreground.get(metric)
        return math.nan if found is None else found.mean

    def _repr_html_(self) -> str:
        """Return the means of each class as a table, for notebooks."""
        shown = columns(self.foreground) or list(self.foreground)[:6]
        everything = {**self.classes, "mean over classes": self.foreground}
        if len(self.classes) == 1:
            everything.pop("mean over classes")
        rows = [
            (name, *(f"{of[m].mean:.4g}" if m in of else None for m in shown))
            for name, of in everything.items()
        ]
        title = f"{amount(len(self.cases), 'case')}, lengths in {self.unit}"
        if self.missing or self.failed:
            title += f"; {len(self.missing) + len(self.failed)} without scores"
        return html_table(title, ("class", *map(self._heading, shown)), rows)

    def save(self, path: Path) -> None:
        """Write it as strict JSON: NaN is null, infinity the text ``"Infinity"``."""
        write_text(path, dumps(plain(to_json(self))))

    @classmethod
    def load(cls, path: Path) -> Summary:
        """Read it; raises PlanError with every fault of the file at once."""
        raw = load_object(path, "Run `autoseg evaluate` first.")
        if raw.get("schema") != SCHEMA:
            raise PlanError(
                f"{path} has schema {raw.get('schema')}; this autoseg reads {SCHEMA}."
            )
        scores = floats(raw.pop("cases", {}))
        statistics = {
            name: floats(raw.pop(name, {})) for name in ("foreground", "classes")
        }
        points = floats(raw.pop("points", {}))
        rest = from_json(_Rest, raw, str(path))
        return cls(
            points=points,
            cases=scores,
            foreground=_statistics(statistics["foreground"]),
            classes={k: _statistics(v) for k, v in statistics["classes"].items()},
            **{f.name: getattr(rest, f.name) for f in fields(rest)},
        )

    def save_table(self, path: Path) -> None:
        """Write the scores as CSV: a row for each case and class, empty where NaN."""
        metrics = metric_names(self.cases)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["case", "class", *metrics])
        for case, by_class in self.cases.items():
            for name, scores in by_class.items():
                row = [_cell(scores.get(metric, math.nan)) for metric in metrics]
                writer.writerow([text_cell(case), text_cell(name), *row])
        write_text(path, text.getvalue())

    def table(
        self, metrics: Sequence[str] | None = None, width: int | None = None
    ) -> str:
        """Return a table for people: means with 95 % confidence intervals.

        Parameters
        ----------
        metrics : sequence of str, optional
            Columns; by default those most asked for.
        width : int, optional
            Letters in a line at most: intervals go first, then the last columns, which
            are named below. By default as many as there are.

        Returns
        -------
        str
            A class in each line.
        """
        chosen = list(metrics or columns(self.foreground))
        shown, intervals = list(chosen), WITH_INTERVAL
        lines = self._rows(shown, intervals)
        if width is None:
            return "\n".join([*lines, *self._notes(chosen)])
        while len(max(lines, key=len)) > width and (intervals > 1 or len(shown) > 1):
            if intervals > 1:
                intervals -= 1
            else:
                shown.pop()
            lines = self._rows(shown, intervals)
        notes = self._notes(chosen)
        if len(shown) < len(chosen):
            names = ", ".join(HEADINGS.get(m, m) for m in chosen[len(shown) :])
            notes.append(f"Not shown here, but in summary.csv: {names}.")
        wrapped = [
            line
            for note in notes
            for line in textwrap.wrap(note, width, break_on_hyphens=False) or [""]
        ]
        return "\n".join([*lines, *wrapped])

    def _rows(self, chosen: Sequence[str], intervals: int) -> list[str]:
        """Return heading, rule and rows with these columns."""
        rows = [["class", *(self._heading(metric) for metric in chosen), "cases"]]
        for name, found in self.classes.items():
            cells = self._cells(found, chosen, intervals)
            rows.append([name, *cells, str(_most(found))])
        if len(self.classes) > 1:
            cells = self._cells(self.foreground, chosen, intervals)
            rows.append(["mean over classes", *cells, str(len(self.cases))])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "  ".join("-" * width for width in widths)
        return [lines[0], rule, *lines[1:]]

    def _heading(self, metric: str) -> str:
        name = HEADINGS.get(metric, metric)
        return f"{name} [{self.unit}]" if metric in LENGTHS else name

    def _cells(
        self, found: Mapping[str, Statistic], metrics: Sequence[str], intervals: int
    ) -> list[str]:
        return [
            _cell_text(found[metric], metric, interval=column < intervals)
            if metric in found
            else "-"
            for column, metric in enumerate(metrics)
        ]

    def _notes(self, metrics: Sequence[str]) -> list[str]:
        notes = ["Means with their 95 % confidence intervals (bootstrap over cases)."]
        if self.cases and (warning := caution(len(self.cases))):
            notes.append(warning)
        if any(s.infinite for c in self.classes.values() for s in c.values()):
            notes.append(
                "+k: in k more cases the class was missed, or found where it is not; "
                "no distance is defined for those."
            )
        if "nsd" in metrics and (tolerances := self._values("tolerance")):
            ends = dict.fromkeys(f"{t:g}" for t in (tolerances[0], tolerances[-1]))
            notes.append(f"NSD at a tolerance of {' to '.join(ends)} {self.unit}.")
        if self.points:
            notes.extend(self._over_all_points())
        if "map_pooled" in metrics:
            notes.append(
                "AP, PQ, SEG, count: over all objects of all cases together; mAP: over "
                "IoU 0.50 to 0.95."
            )
            notes.extend(self._by_size())
        return ["", *notes]

    def _over_all_points(self) -> list[str]:
        """Return what landmarks come to, every point counting the same."""
        over = self.points.get(ALL, {})
        found = {name: f"{over[name]:.2f}" for name in over if name.startswith("mre")}
        if not found:
            return ["No landmark was found where one is."]
        rates = [
            f"within {radius:g} {self.unit} {100 * over[name]:.1f} %"
            for radius in RADII
            if (name := f"sdr_{radius:g}") in over
        ]
        spread = f" (sd {found['mre_sd']})" if "mre_sd" in found else ""
        lines = [
            f"All {over['count']:.0f} points together: MRE {found['mre']}{spread}, "
            f"median {found['mre_median']}, 95th percentile {found['mre_p95']} "
            f"{self.unit}; {', '.join(rates)}."
        ]
        said = [f"{n} {over[n]:.3f}" for n in ("precision", "recall") if n in over]
        covered = [
            f"{100 * over[name]:.1f} % of errors within their {quantile} % radius"
            for quantile in QUANTILES
            if (name := f"covered_{quantile}") in over
        ]
        return [*lines, f"Presence: {', '.join([*said, *covered])}."]

    def _values(self, metric: str) -> list[float]:
        """Return every value of a metric, ascending."""
        scores = (s for case in self.cases.values() for s in case.values())
        return sorted({s[metric] for s in scores if metric in s})

    def _by_size(self) -> list[str]:
        """Return AP by size, if there are limits."""
        low, high = self._values("small_up_to"), self._values("large_over")
        found = [self.foreground.get(f"ap_50_{s}_pooled") for s in SIZES]
        means = [statistic.mean for statistic in found if statistic is not None]
        if not (low and high and len(means) == len(SIZES)):
            return []
        cells = ["-" if math.isnan(mean) else f"{mean:.3f}" for mean in means]
        return [
            f"AP50 of objects up to {low[0]:.4g}: {cells[0]}, up to {high[0]:.4g}: "
            f"{cells[1]}, larger: {cells[2]} (areas in {self.unit}^2, volumes in "
            f"{self.unit}^3)."
        ]


@dataclass(frozen=True, kw_only=True)
class _Rest:
    unit: str
    missing: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    without_annotation: tuple[str, ...] = ()
    schema: int = SCHEMA


def columns(there: Iterable[str]) -> list[str]:
    """Return which metrics to show to people, of those that there are."""
    known = list(there)
    for metrics in SHOWN:
        if metrics[0] in known:
            return [metric for metric in metrics if metric in known]
    return known[:MOST_SHOWN]


def _most(found: Mapping[str, Statistic]) -> int:
    return max((statistic.count for statistic in found.values()), default=0)


def _cell_text(statistic: Statistic, metric: str, interval: bool) -> str:
    """Return mean, confidence interval and how many infinite values there are."""
    missed = f" +{statistic.infinite}" if statistic.infinite else ""
    if math.isnan(statistic.mean):
        return f"-{missed}"
    pattern = "{:.2f}" if metric in LENGTHS else "{:.3f}"
    if metric in PERCENT:
        pattern = "{:+.1%}"
    text = pattern.format(statistic.mean)
    if interval and not math.isnan(statistic.low):
        low, high = pattern.format(statistic.low), pattern.format(statistic.high)
        text += f" [{low}, {high}]"
    return text + missed


def _statistics(raw: Mapping[str, Any]) -> dict[str, Statistic]:
    found = {}
    for metric, numbers in raw.items():
        counts = {name: int(numbers.pop(name)) for name in ("count", "infinite")}
        found[metric] = Statistic(**numbers, **counts)
    return found


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
