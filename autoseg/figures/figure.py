"""Figures that are drawn without a screen, safely from any thread, and look alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoseg.atomic import atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colors, which people who confuse red and green can tell apart, in an
# order in which neighbors differ most; https://jfly.uni-koeln.de/color/
PALETTE = (
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#CC79A7",  # reddish purple
    "#009E73",  # bluish green
    "#F0E442",  # yellow
    "#D55E00",  # vermilion
    "#0072B2",  # blue
)
INK = "#22272E"
QUIET_INK = "#6B7480"
GRID = "#DDE1E6"


def new_figure(width: float, height: float, dpi: int = 100, **options: Any) -> Figure:
    """Return an empty figure of some inches that belongs to no window.

    Figures made by ``pyplot`` are kept in a list that threads share; these are not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, **options)
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """Leave of a plot's frame what helps to read it."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET_INK)
    axes.tick_params(colors=QUIET_INK, labelsize=8, length=3)
    axes.grid(True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def figure_bytes(figure: Figure, kind: str = "png") -> bytes:
    """Return a figure as a PNG, or as an SVG whose letters are shapes."""
    import io

    from matplotlib import rc_context

    file = io.BytesIO()
    # No time, no version, no random ids: the same figure gives the same bytes.
    quiet = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    with rc_context({"svg.hashsalt": "autoseg", "svg.fonttype": "path"}):
        figure.savefig(file, format=kind, metadata=quiet[kind])
    return file.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG that is either complete or not there."""
    with atomically(path) as temporary:
        # No time, no version: the same figure gives the same bytes.
        figure.savefig(temporary, format="png", metadata={"Software": None})
