"""Figures that are drawn without a screen, safely from any thread, and look alike."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
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
PLACE = "MPLCONFIGDIR"  # what tells matplotlib where to keep what it makes
INK = "#22272E"
QUIET_INK = "#6B7480"
GRID = "#DDE1E6"


def new_figure(width: float, height: float, dpi: int = 100, **options: Any) -> Figure:
    """Return an empty figure of some inches that belongs to no window.

    Figures made by ``pyplot`` are kept in a list that threads share; these are not.
    """
    give_place()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, **options)
    FigureCanvasAgg(figure)
    return figure


def give_place() -> None:
    """Give matplotlib a temporary folder where it cannot write into the user's own.

    It would make one itself when it is imported, with two warnings of its own.
    """
    if PLACE in os.environ or "matplotlib" in sys.modules:
        return
    if all(map(_may_be_made, _places())):
        return
    folder = tempfile.mkdtemp(prefix="autoseg-matplotlib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[PLACE] = folder


def _places() -> list[Path]:
    """Return where matplotlib keeps what it makes; a folder of none without a home."""
    try:
        home = Path.home()
    except RuntimeError:  # a user without one
        return [Path(os.devnull)]
    if not sys.platform.startswith(("linux", "freebsd")):
        return [home / ".matplotlib"]
    bases = (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache"))
    return [Path(os.environ.get(v) or home / d) / "matplotlib" for v, d in bases]


def _may_be_made(folder: Path) -> bool:
    """Return whether a folder is there, or may be made, and written to."""
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
    except (OSError, StopIteration):
        return False
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


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
