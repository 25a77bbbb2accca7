"""One case in a dark strip: the bare image, then planes with what is drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import figure_bytes, new_figure
from autoseg.report.pictures.layers import NIGHT, Layer, gray_window, panel, show_image
from autoseg.report.pictures.planes import Plane, planes_of

Array = NDArray[Any]

WIDTH = 10.0  # inches
TALLEST = 2.6
TALLEST_FLAT = 4.2  # of an image with two axes
GAP = 0.06
DPI = 120
INK = "#C9D1D9"


@dataclass(frozen=True, kw_only=True)
class CaseView:
    """What a picture of a case is made from.

    Parameters
    ----------
    image : ndarray, shape (C, *S)
        The image.
    spacing : tuple of float, length D
        Edge of a voxel along each axis.
    layer : Layer
        What is painted over it.
    unit : str
        Of the spacing, for the scale bar.
    steps : tuple of int, length D
        From one of these voxels to the next in the case's own; empty: they are those.
    """

    image: Array
    spacing: tuple[float, ...]
    layer: Layer
    unit: str = "mm"
    steps: tuple[int, ...] = ()


def draw_case(view: CaseView) -> bytes:
    """Draw a case.

    Parameters
    ----------
    view : CaseView
        What to draw.

    Returns
    -------
    bytes
        A PNG. All panels have one scale, so thick slices look as thick as they are; a
        bar says how long a round length is.
    """
    planes = planes_of(view.layer.focus(), view.spacing)
    columns = [planes[0], *planes]
    gaps = GAP * (len(columns) - 1)
    widest = (WIDTH - gaps) / sum(plane.width for plane in columns)
    tallest = TALLEST if len(planes) > 1 else TALLEST_FLAT
    scale = min(widest, tallest / max(plane.height for plane in columns))
    width = scale * sum(plane.width for plane in columns) + gaps
    height = scale * max(plane.height for plane in columns)
    figure = new_figure(width, height, dpi=DPI, facecolor=NIGHT)
    window = gray_window(view.image)
    left = 0.0
    for number, plane in enumerate(columns):
        wide, tall = plane.width * scale, plane.height * scale
        axes = panel(figure, (left, (height - tall) / 2, wide, tall))
        show_image(axes, plane, view.image, window)
        if number:
            view.layer.draw(axes, plane)
        left += wide + GAP
    _scale_bar(figure, columns[0], scale, view.unit)
    return figure_bytes(figure)


def _scale_bar(figure: Any, plane: Plane, scale: float, unit: str) -> None:
    """Draw a bar of a round length in the lower left corner."""
    length = round_down(min(1.0 / scale, 0.6 * plane.width))
    axes = panel(figure, (0.08, 0.08, length * scale, 0.03))
    axes.axhspan(0, 1, color=INK)
    width, height = figure.get_size_inches()
    figure.text(
        0.08 / width, 0.15 / height, f"{length:g} {unit}", color=INK, fontsize=7
    )


def round_down(length: float) -> float:
    """Return 1, 2 or 5 times a power of ten, the largest up to a length.

    Examples
    --------
    >>> round_down(37.0), round_down(0.05)
    (20.0, 0.05)
    """
    power = 10.0 ** np.floor(np.log10(length))
    steps: Sequence[float] = (5, 2, 1)
    return float(next((s * power for s in steps if s * power <= length * 1.001), power))
