"""A training at a glance: loss, score, learning rate and where time goes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import (
    INK,
    PALETTE,
    QUIET_INK,
    new_figure,
    save_figure,
    tidy,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = tuple[NDArray[np.float64], NDArray[np.float64]]

LAYOUT = {
    "width_ratios": [1.45, 1],
    "left": 0.05,
    "right": 0.985,
    "bottom": 0.08,
    "top": 0.89,
    "wspace": 0.14,
    "hspace": 0.24,
}
FEW = 30  # values are not smoothed
MOST_NAMES = 8  # in a legend
MOST_POINTS = 1500  # more than there are pixels across a panel
SMOOTH = 0.15  # weight of a value's next neighbor in the thick line
STEP, WAIT = PALETTE[1], PALETTE[5]


def plot_progress(log: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw a training's log as a PNG.

    Fast enough to be called after every epoch, from any thread.

    Parameters
    ----------
    log : sequence of mapping
        Lines of ``log.jsonl``: ``iteration`` and any of ``loss``, ``validation_loss``,
        ``score``, ``average_score``, ``dice`` (by class), ``learning_rate``,
        ``seconds``, ``progress`` (of 1), ``seconds_per_iteration`` and
        ``waiting_for_loader`` (a share of it). What is missing or no number is left
        out.
    path : Path
        The picture's file, written atomically.
    """
    figure = new_figure(10, 6.4)
    panels = figure.subplots(2, 2, gridspec_kw=LAYOUT)  # fixed: three times as fast
    _loss(panels[0, 0], log)
    _score(panels[1, 0], log)
    _rate(panels[0, 1], log)
    _time(panels[1, 1], log)
    for axes in panels.flat:
        tidy(axes)
        axes.set_xlim(left=0)
    for axes in panels[1]:
        axes.set_xlabel("iteration", fontsize=9, color=QUIET_INK)
    figure.suptitle(_headline(log), fontsize=11, color=INK, x=0.05, y=0.975, ha="left")
    save_figure(figure, path)


def series(log: Sequence[Mapping[str, Any]], key: str) -> Series:
    """Return iterations and finite values of a key, thinned out evenly."""
    found = []
    for number, entry in enumerate(log):
        value = entry.get(key)
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.append((float(entry.get("iteration", number)), float(value)))
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    if len(table) > MOST_POINTS:
        rows = np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int)
        table = table[rows]
    return table[:, 0], table[:, 1]


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return moving averages that look both ways, so that they do not lag behind."""
    weight = min(1.0, max(SMOOTH, FEW / max(1, len(values))))
    both = []
    for direction in (1, -1):
        smooth = np.array(values[::direction])
        for i in range(1, len(smooth)):
            smooth[i] = (1 - weight) * smooth[i - 1] + weight * smooth[i]
        both.append(smooth[::direction])
    return np.asarray(sum(both) / 2)


def _loss(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _title(axes, "loss")
    for key, name, color in (
        ("loss", "training", PALETTE[6]),
        ("validation_loss", "validation", PALETTE[0]),
    ):
        where, values = series(log, key)
        if not len(where):
            continue
        axes.plot(where, values, color=color, alpha=0.3, linewidth=1)
        axes.plot(where, smoothed(values), color=color, linewidth=1.8, label=name)
    _legend(axes, "upper right")


def _score(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _title(axes, "validation score of patches")
    where, values = series(log, "score")
    of_classes = [
        {"iteration": entry.get("iteration", number), **entry["dice"]}
        for number, entry in enumerate(log)
        if isinstance(entry.get("dice"), Mapping)
    ]
    names = list(dict.fromkeys(name for entry in of_classes for name in entry))[1:]
    for number, name in enumerate(names):
        places, its = series(of_classes, name)
        color = PALETTE[number % len(PALETTE)]
        label = name if len(names) <= MOST_NAMES else None
        axes.plot(places, its, color=color, linewidth=1, alpha=0.8, label=label)
    if len(where):
        axes.plot(where, values, ".", color=INK, markersize=3, alpha=0.45)
    places, average = series(log, "average_score")
    if len(places):
        axes.plot(places, average, color=INK, linewidth=2, label="mean, smoothed")
        best = int(np.argmax(average))
        axes.plot(places[best], average[best], "o", color=INK, markersize=5)
        axes.annotate(
            f"best {average[best]:.3f}",
            (places[best], average[best]),
            xytext=(-6, -12),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=INK,
        )
    shown = [values, average]
    if any(len(part) for part in shown) and min(p.min() for p in shown if len(p)) >= 0:
        axes.set_ylim(0, 1)
    _legend(axes, "lower right")


def _rate(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _title(axes, "learning rate")
    where, values = series(log, "learning_rate")
    axes.plot(where, values, color=PALETTE[3], linewidth=1.8)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    axes.yaxis.get_offset_text().set(fontsize=8, color=QUIET_INK)
    axes.set_ylim(bottom=0)


def _time(axes: Axes, log: Sequence[Mapping[str, Any]]) -> None:
    _title(axes, "seconds in an iteration")
    rows = [
        entry
        for entry in log
        if all(
            isinstance(entry.get(key), (int, float))
            for key in ("seconds_per_iteration", "waiting_for_loader")
        )
    ]
    where, seconds = series(rows, "seconds_per_iteration")
    _, share = series(rows, "waiting_for_loader")
    if not len(where) or len(share) != len(where):
        return
    waiting = seconds * np.clip(share, 0, 1)
    axes.stackplot(
        where,
        seconds - waiting,
        waiting,
        colors=[STEP, WAIT],
        labels=["network", "waiting for data"],
        alpha=0.85,
        linewidth=0,
    )
    # The first entries, slow while memory is found, would flatten all the others.
    axes.set_ylim(0, 1.35 * float(np.quantile(seconds, 0.95)))
    _legend(axes, "upper right")


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=9, color=INK, loc="left", fontweight="bold")


def _legend(axes: Axes, place: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=place, fontsize=8, frameon=False, labelcolor=INK)


def _headline(log: Sequence[Mapping[str, Any]]) -> str:
    if not log:
        return "nothing logged yet"
    last = log[-1]
    words = [f"iteration {last.get('iteration', len(log))}"]
    progress, seconds = last.get("progress"), last.get("seconds")
    if isinstance(progress, (int, float)):
        words.append(f"{100 * progress:.0f} % done")
    if isinstance(seconds, (int, float)):
        words.append(f"{spoken(seconds)} so far")
        if isinstance(progress, (int, float)) and 0 < progress < 1:
            words.append(f"about {spoken(seconds / progress - seconds)} to go")
    return "  ·  ".join(words)


def spoken(seconds: float) -> str:
    """Return a time as a person says it.

    Examples
    --------
    >>> spoken(42), spoken(150), spoken(7260)
    ('42 s', '2 min 30 s', '2 h 01 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
