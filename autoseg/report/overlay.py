"""Predictions over their images, beside the truth: three planes of each case.

The prediction is filled, the reference a line of the same color: where a line runs
along the edge of a filled area both agree. All panels of a picture have one scale, in
physical units, so thick slices look as thick as they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.report._case_picture import round_down
from autoseg.report._figure import new_figure, save_figure
from autoseg.report._layers import (
    FILL,
    NIGHT,
    Box,
    LabelLayer,
    class_colors,
    gray_window,
    panel,
    show_image,
)
from autoseg.report._planes import Plane, planes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]

INK, QUIET = "#E6EDF3", "#8B949E"
WIDTH = 11.0  # inches of the picture
LEFT, NAMES_WIDTH, HEAD, FOOT, GAP = 0.22, 1.7, 1.1, 0.55, 0.08  # inches
RIGHT = 0.25
TALLEST_ROW = 3.6  # inches


@dataclass(frozen=True, kw_only=True)
class OverlayCase:
    """One row of a picture.

    S is the spatial shape with two or three axes.

    Parameters
    ----------
    name : str
        Case id.
    image : ndarray, shape S or (C, *S)
        Of several channels three are shown as colors if S has two axes; else the first.
    prediction : ndarray of int, shape S
        Label map.
    spacing : tuple of float, length D
        Edge of a voxel along each axis.
    reference : ndarray of int, shape S, optional
        The truth.
    scores : mapping of str to float
        Dice of each class, written beside the row.
    """

    name: str
    image: Array
    prediction: Array
    spacing: tuple[float, ...]
    reference: Array | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


def plot_overlay(
    cases: Sequence[OverlayCase],
    classes: Mapping[str, int | Sequence[int]],
    path: Path,
    *,
    title: str = "",
    unit: str = "mm",
    planes: Sequence[str] = (),
) -> None:
    """Draw cases in rows: the bare image, then the overlay in each plane.

    Parameters
    ----------
    cases : sequence of OverlayCase
        From top to bottom.
    classes : mapping of str to int or sequence of int
        Label values of each class to draw, in drawing order.
    path : Path
        The PNG file, written atomically.
    title : str
        Headline.
    unit : str
        Of the spacing, for the scale bar.
    planes : sequence of str
        Names of the planes across axis 0, 1 and 2, to stand over their columns.

    Raises
    ------
    UsageError
        If there is no case, or arrays of a case differ in shape.
    """
    if not cases:
        raise UsageError("there is no case to draw.")
    members = {
        name: (value,) if isinstance(value, int) else tuple(value)
        for name, value in classes.items()
    }
    for case in cases:
        _check(case)
    rows = [planes_of(_shown(case), case.spacing) for case in cases]
    colors = class_colors(members)
    grid = _Grid.of(rows)
    figure = new_figure(WIDTH, grid.height, dpi=130, facecolor=NIGHT)
    for number, (case, row) in enumerate(zip(cases, rows, strict=True)):
        _row(figure, case, row, grid.boxes(number), members, colors)
        _names(figure, case, grid.middle(number), colors)
    _head(figure, title, colors, any(case.reference is not None for case in cases))
    headings = ["image", *planes] if planes else []
    for text, box in zip(headings, grid.boxes(0), strict=False):
        y = grid.height - HEAD + 0.1
        _text(figure, box[0] + box[2] / 2, y, text, color=QUIET, ha="center")
    _scale_bar(figure, grid.scale, unit)
    _foot(figure, cases, members)
    save_figure(figure, path)


@dataclass(frozen=True, kw_only=True)
class _Grid:
    """Where panels are, in inches from the lower left corner of the picture."""

    rows: Sequence[Sequence[Plane]]
    scale: float  # inches for each unit of length, the same in all panels
    widths: list[float]  # of columns
    heights: list[float]  # of rows

    @classmethod
    def of(cls, rows: Sequence[Sequence[Plane]]) -> _Grid:
        # The bare image stands first, in the plane across axis 0.
        rows = [[row[0], *row] for row in rows]
        widths = [
            max(plane.width for plane in column) for column in zip(*rows, strict=True)
        ]
        heights = [max(plane.height for plane in row) for row in rows]
        free = WIDTH - NAMES_WIDTH - RIGHT - GAP * (len(widths) - 1)
        scale = min(free / sum(widths), TALLEST_ROW / max(heights))
        return cls(
            rows=rows,
            scale=scale,
            widths=[width * scale for width in widths],
            heights=[height * scale for height in heights],
        )

    @property
    def height(self) -> float:
        return HEAD + sum(self.heights) + GAP * (len(self.rows) - 1) + FOOT

    def middle(self, row: int) -> float:
        above = sum(self.heights[:row]) + GAP * row
        return self.height - HEAD - above - self.heights[row] / 2

    def boxes(self, row: int) -> list[Box]:
        """Return left, bottom, width and height of the panels of a row."""
        used = sum(self.widths) + GAP * (len(self.widths) - 1)
        left = NAMES_WIDTH + (WIDTH - NAMES_WIDTH - RIGHT - used) / 2
        boxes = []
        for plane, column in zip(self.rows[row], self.widths, strict=True):
            width, height = plane.width * self.scale, plane.height * self.scale
            bottom = self.middle(row) - height / 2
            boxes.append((left + (column - width) / 2, bottom, width, height))
            left += column + GAP
        return boxes


def _check(case: OverlayCase) -> None:
    shape = case.prediction.shape
    grids = [case.image.shape[-len(shape) :]]
    grids += [] if case.reference is None else [case.reference.shape]
    if len(shape) not in (2, 3) or any(grid != shape for grid in grids):
        raise UsageError(
            f"{case.name}: image {case.image.shape}, prediction {shape} and reference "
            f"{None if case.reference is None else case.reference.shape} must share "
            "one grid of two or three axes."
        )


def _shown(case: OverlayCase) -> Array:
    """Return what decides where to cut: the reference, or else the prediction."""
    there = case.reference is not None and np.any(case.reference > 0)
    return case.reference if there else case.prediction  # type: ignore[return-value]


def _row(
    figure: Figure,
    case: OverlayCase,
    row: Sequence[Plane],
    boxes: Sequence[Box],
    members: Mapping[str, tuple[int, ...]],
    colors: Mapping[str, str],
) -> None:
    layer = LabelLayer(
        prediction=case.prediction,
        reference=case.reference,
        members=members,
        colors=colors,
    )
    window = gray_window(case.image)
    for number, (plane, box) in enumerate(zip([row[0], *row], boxes, strict=True)):
        axes = panel(figure, box)
        show_image(axes, plane, case.image, window)
        if number:
            layer.draw(axes, plane)


def _names(
    figure: Figure, case: OverlayCase, middle: float, colors: Mapping[str, str]
) -> None:
    line = 0.22
    y = middle + line * len(case.scores) / 2
    size = 9.5 if len(case.name) <= 15 else 8  # so that it ends before the panels
    _text(figure, LEFT, y, _short(case.name, 18), fontsize=size, fontweight="bold")
    for name, value in case.scores.items():
        y -= line
        text = "not there" if math.isnan(value) else f"{value:.3f}"
        _text(figure, LEFT, y, "●", color=colors.get(name, QUIET), fontsize=8)
        _text(figure, LEFT + 0.17, y, f"{text}  {_short(name, 12)}")


def _text(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Write at a place in inches."""
    width, height = figure.get_size_inches()
    options: dict[str, Any] = {"color": INK, "fontsize": 8.5, "va": "center"}
    options |= style
    figure.text(x / width, y / height, text, **options)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _head(
    figure: Figure, title: str, colors: Mapping[str, str], with_reference: bool
) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    height = figure.get_size_inches()[1]
    _text(figure, LEFT, height - 0.3, title, fontsize=13, fontweight="bold")
    handles: list[Any] = [
        Patch(facecolor=color, alpha=0.9, label=name) for name, color in colors.items()
    ]
    handles.append(Patch(facecolor=INK, alpha=FILL, label="prediction"))
    if with_reference:
        handles.append(Line2D([], [], color=INK, linewidth=1.6, label="truth"))
    figure.legend(
        handles=handles, loc="center left", ncols=len(handles), frameon=False,
        bbox_to_anchor=((LEFT - 0.08) / WIDTH, 1 - 0.66 / height), fontsize=9,
        labelcolor=INK, handlelength=1.3, columnspacing=1.6,
    )  # fmt: skip


def _scale_bar(figure: Figure, scale: float, unit: str) -> None:
    """Draw a bar of a round length, about an inch, in the lower right corner."""
    length = round_down(1.0 / scale)
    right, y = WIDTH - RIGHT, 0.3
    axes = panel(figure, (right - length * scale, y - 0.015, length * scale, 0.03))
    axes.axhspan(0, 1, color=INK)
    text = f"{length:g} {unit}"
    _text(figure, right - length * scale - 0.08, y, text, ha="right")


def _foot(
    figure: Figure,
    cases: Sequence[OverlayCase],
    members: Mapping[str, tuple[int, ...]],
) -> None:
    means = []
    for name in members:
        values = [case.scores.get(name, math.nan) for case in cases]
        known = [value for value in values if not math.isnan(value)]
        if known:
            means.append(f"{name} {sum(known) / len(known):.3f}")
    if means:
        text = f"mean Dice of these cases:  {'   '.join(means)}"
        _text(figure, LEFT, 0.3, text, color=QUIET)
