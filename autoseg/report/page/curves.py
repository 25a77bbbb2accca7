"""Learning curves of all folds of a configuration in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import (
    INK,
    PALETTE,
    QUIET_INK,
    figure_bytes,
    new_figure,
    tidy,
)
from autoseg.figures.progress import STEP, WAIT, series, smoothed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 4  # values make no line
MOST_POINTS, MOST_DOTS = 400, 150  # of one fold in a panel of some 500 pixels
Log = Sequence[Mapping[str, Any]]


def plot_curves(logs: Mapping[str, Log]) -> bytes:
    """Draw losses, validation scores of patches, and where the time went.

    Parameters
    ----------
    logs : mapping of str to sequence of mapping
        Lines of ``log.jsonl`` by fold.

    Returns
    -------
    bytes
        An SVG.
    """
    figure = new_figure(11, 2.9)
    panels = figure.subplots(
        1, 3, gridspec_kw={"left": 0.045, "right": 0.99, "bottom": 0.17, "top": 0.88,
                           "wspace": 0.18, "width_ratios": [1.25, 1.25, 1]},
    )  # fmt: skip
    for number, (fold, log) in enumerate(logs.items()):
        color = PALETTE[(number + 6) % len(PALETTE)]
        _curve(panels[0], log, "loss", color, alpha=0.45, width=1.0)
        _curve(panels[0], log, "validation_loss", color, label=f"fold {fold}")
        places, values = thinned(*series(log, "score"), MOST_DOTS)
        panels[1].plot(places, values, ".", color=color, markersize=3, alpha=0.4)
        _curve(panels[1], log, "average_score", color, smooth=False)
    _time(panels[2], logs)
    titles = (
        "loss: validation, and training (thin)",
        "validation score of patches, smoothed",
        "seconds of an iteration",
    )
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=9, color=INK, loc="left", fontweight="bold")
        tidy(axes)
    for axes in panels[:2]:
        axes.set_xlim(left=0)
        axes.set_xlabel("iteration", fontsize=8, color=QUIET_INK)
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend(fontsize=8, frameon=False, labelcolor=INK)
    return figure_bytes(figure, "svg")


def _curve(
    axes: Axes,
    log: Log,
    key: str,
    color: str,
    *,
    label: str | None = None,
    alpha: float = 1.0,
    width: float = 1.8,
    smooth: bool = True,
) -> None:
    places, values = series(log, key)
    if len(places):
        shown = smoothed(values) if smooth else values
        places, shown = thinned(places, shown, MOST_POINTS)
        axes.plot(
            places, shown, color=color, alpha=alpha, linewidth=width, label=label,
            marker="." if len(places) < FEW else None,
        )  # fmt: skip


def thinned(
    places: NDArray[Any], values: NDArray[Any], most: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return evenly spread points of a curve, its ends among them.

    Parameters
    ----------
    places, values : ndarray, shape (N,)
        The curve.
    most : int
        Of points, two or more: a figure has no room for more, and a page would keep
        them all.

    Examples
    --------
    >>> import numpy as np
    >>> thinned(np.arange(9), np.arange(9) ** 2, 3)[1].tolist()
    [0, 16, 64]
    """
    kept = np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).round())
    kept = kept.astype(int)
    return np.asarray(places)[kept], np.asarray(values)[kept]


def _time(axes: Axes, logs: Mapping[str, Log]) -> None:
    """Draw a bar for each fold: what the network took, and what the loader added."""
    names, step, wait = [], [], []
    for fold, log in logs.items():
        _, seconds = series(log, "seconds_per_iteration")
        _, share = series(log, "waiting_for_loader")
        if len(seconds) and len(seconds) == len(share):
            typical, waiting = float(np.median(seconds)), float(np.median(share))
            names.append(f"fold {fold}")
            step.append(typical * (1 - waiting))
            wait.append(typical * waiting)
    if not names:
        return
    axes.barh(names, step, color=STEP, height=0.55, label="network")
    axes.barh(names, wait, left=step, color=WAIT, height=0.55, label="waiting for data")
    most = max(a + b for a, b in zip(step, wait, strict=True))
    for row, (a, b) in enumerate(zip(step, wait, strict=True)):
        text = f"{b / (a + b):.0%} waiting"
        axes.text(
            a + b + 0.02 * most, row, text, va="center", fontsize=8, color=QUIET_INK
        )
    axes.set_xlim(0, 1.35 * most)
    axes.set_ylim(1.18 * len(names) - 0.4, -0.6)  # with room for the legend
    axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="lower right", ncols=2)
