"""Predictions over their images, beside the truth: three planes of each case.

How annotations are painted their layer decides. All panels of a picture have one scale,
in physical units, so thick slices look as thick as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autoseg.errors import UsageError
from autoseg.figures.figure import new_figure, save_figure
from autoseg.report.pictures.case import CaseView, round_down
from autoseg.report.pictures.layers import (
    NIGHT,
    Box,
    Layer,
    gray_window,
    panel,
    show_image,
)
from autoseg.report.pictures.planes import Plane, planes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, QUIET = "#E6EDF3", "#8B949E"
WIDTH = 11.0  # inches of the picture
LEFT, NAMES_WIDTH, HEAD, FOOT, GAP = 0.22, 1.7, 1.1, 0.55, 0.08  # inches
RIGHT = 0.25
TALLEST_ROW = 3.6  # inches


@dataclass(frozen=True, kw_only=True)
class OverlayCase:
    """One row of a picture.

    Parameters
    ----------
    name : str
        Case id.
    view : CaseView
        Image, and what is painted over it.
    scores : mapping of str to str
        What is written beside the row, by class.
    """

    name: str
    view: CaseView
    scores: Mapping[str, str] = field(default_factory=dict)


def plot_overlay(
    cases: Sequence[OverlayCase],
    path: Path,
    *,
    colors: Mapping[str, str] = MappingProxyType({}),
    title: str = "",
    foot: str = "",
    planes: Sequence[str] = (),
    through: bool = False,
) -> None:
    """Draw cases in rows: the bare image, then the overlay in each plane.

    Parameters
    ----------
    cases : sequence of OverlayCase
        From top to bottom; the first one's layer explains itself in the legend.
    path : Path
        The PNG file, written atomically.
    colors : mapping of str to str
        Of the classes that scores are written for.
    title, foot : str
        Headline, and what stands at the bottom.
    planes : sequence of str
        Names of the planes across axis 0, 1 and 2, to stand over their columns.
    through : bool
        Of volumes, show the brightest voxel through the whole depth in place of a
        slice, so that all points are where they seem to be.

    Raises
    ------
    UsageError
        If there is no case, or arrays of a case differ in shape.
    """
    if not cases:
        raise UsageError("there is no case to draw.")
    rows = [_panels(case, planes, through) for case in cases]
    grid = _Grid.of([[part.plane for part in row] for row in rows])
    figure = new_figure(WIDTH, grid.height, dpi=130, facecolor=NIGHT)
    for number, (case, row) in enumerate(zip(cases, rows, strict=True)):
        _row(figure, case, row, grid.boxes(number))
        _names(figure, case, grid.middle(number), colors)
    _head(figure, title, cases[0].view.layer.legend())
    for text, box in zip(
        [part.heading for part in rows[0]], grid.boxes(0), strict=True
    ):
        y = grid.height - HEAD + 0.1
        _text(figure, box[0] + box[2] / 2, y, text, color=QUIET, ha="center")
    _scale_bar(figure, grid.scale, cases[0].view.unit)
    _text(figure, LEFT, 0.3, foot, color=QUIET)
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


@dataclass(frozen=True)
class _Panel:
    """One picture in a row."""

    plane: Plane
    layer: Layer | None
    heading: str


def _panels(case: OverlayCase, names: Sequence[str], through: bool) -> list[_Panel]:
    """Return the bare image, then what is painted over which plane of it.

    Raises UsageError where image and annotation do not fit each other.
    """
    layer, image = case.view.layer, case.view.image.shape
    focus = layer.focus()
    shape = focus.shape
    if len(shape) not in (2, 3) or image[-len(shape) :] != shape:
        raise UsageError(
            f"{case.name}: image {image} and annotation {shape} must share one grid of "
            "two or three axes."
        )
    planes = [
        replace(plane, through=through) for plane in planes_of(focus, case.view.spacing)
    ]
    bare = _Panel(planes[0], None, "image")
    if len(planes) == 1:
        sides = layer.side_by_side()
        return [bare, *(_Panel(planes[0], side, n) for n, side in sides.items())]
    found = zip(planes, names or [""] * len(planes), strict=True)
    return [bare, *(_Panel(plane, layer, name) for plane, name in found)]


def _row(
    figure: Figure, case: OverlayCase, row: Sequence[_Panel], boxes: Sequence[Box]
) -> None:
    window = gray_window(case.view.image)
    for part, box in zip(row, boxes, strict=True):
        axes = panel(figure, box)
        show_image(axes, part.plane, case.view.image, window)
        if part.layer is not None:
            part.layer.draw(axes, part.plane)


def _names(
    figure: Figure, case: OverlayCase, middle: float, colors: Mapping[str, str]
) -> None:
    line = 0.22
    y = middle + line * len(case.scores) / 2
    size = 9.5 if len(case.name) <= 15 else 8  # so that it ends before the panels
    _text(figure, LEFT, y, _short(case.name, 18), fontsize=size, fontweight="bold")
    for name, text in case.scores.items():
        y -= line
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


def _head(figure: Figure, title: str, handles: Sequence[Any]) -> None:
    height = figure.get_size_inches()[1]
    _text(figure, LEFT, height - 0.3, title, fontsize=13, fontweight="bold")
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
