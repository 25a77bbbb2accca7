"""What is painted over a plane of an image, one class for each kind of annotation.

A layer decides where it is worth looking (`focus`) and paints itself (`draw`); pictures
know nothing else of annotations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import PALETTE
from autoseg.report.pictures.planes import Plane
from autoseg.spec.foreign.looks import Look, given_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Box = tuple[float, float, float, float]  # left, bottom, width, height in inches

NIGHT = "#0D1117"
LIGHT = "#E6EDF3"
FILL = 0.42  # opacity of what is filled
FINER = 4  # points on a voxel's edge, for lines
SAMPLE = 200_000  # voxels that tell what is black and what is white


def class_colors(
    names: Iterable[str], raw: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, str]:
    """Return a color for each class, the same in every picture of a data set.

    Parameters
    ----------
    names : iterable of str
        Of the classes.
    raw : mapping
        dataset.json, whose ``colors`` count.
    """
    given = {n: Look(color=color).hex for n, color in given_colors(raw).items()}
    usual = ((n, PALETTE[k % len(PALETTE)]) for k, n in enumerate(names))
    return {name: given.get(name, color) for name, color in usual}


def panel(figure: Figure, box: Box) -> Axes:
    """Add a panel without a frame at a place in inches."""
    width, height = figure.get_size_inches()
    left, bottom, wide, tall = box
    axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
    axes.set_axis_off()
    return axes


def gray_window(image: Array) -> tuple[float, float]:
    """Return what is black and what is white: robust ends of what is not background."""
    lowest = image.min()
    inside = image[image > lowest] if np.any(image > lowest) else image
    low, high = np.percentile(inside[:: max(1, inside.size // SAMPLE)], (1, 99.7))
    return float(low), float(max(high, low + 1e-6))


def show_image(
    axes: Axes, plane: Plane, image: Array, window: tuple[float, float]
) -> None:
    """Paint a plane of an image (S) or (C, *S)."""
    low, high = window
    shown = np.clip((plane.cut(image) - low) / (high - low), 0, 1)
    axes.imshow(
        shown, cmap="gray", vmin=0, vmax=1, extent=plane.extent,
        interpolation="bicubic", aspect="auto",
    )  # fmt: skip
    left, right, bottom, top = plane.extent
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


class Layer(ABC):
    """An annotation or prediction, or both, to be painted over an image."""

    @abstractmethod
    def focus(self) -> Array:
        """Return a label map of shape S: the planes go through what is over 0."""

    @abstractmethod
    def draw(self, axes: Axes, plane: Plane) -> None:
        """Paint what lies in a plane."""

    def painted(self, cut: Callable[[Array], Array]) -> Array:
        """Return what is painted over one slice, without matplotlib: for many slices.

        Parameters
        ----------
        cut : callable
            Brings an array (S) to the slice's pixels, (rows, columns).

        Returns
        -------
        ndarray of uint8, shape (rows, columns, 4)
            Red, green, blue and opacity; by default where `focus` is over 0.
        """
        return fill_and_line([(cut(self.focus()) > 0, LIGHT)], [])

    @abstractmethod
    def legend(self) -> list[Any]:
        """Return matplotlib's handles, with labels that say what is painted how."""

    def side_by_side(self) -> Mapping[str, Layer]:
        """Return what to paint in each panel of a flat image, by its heading."""
        return {"prediction": self}


def fill_and_line(
    filled: Sequence[tuple[Array, str]], lines: Sequence[tuple[Array, str]]
) -> Array:
    """Return masks in their colors, filled or as edges, as RGBA of 8 bits.

    Parameters
    ----------
    filled, lines : sequence of (ndarray of bool, str)
        Masks of one shape (rows, columns) with their colors, painted in this order.
    """
    shape = [*filled, *lines][0][0].shape
    painted = np.zeros((*shape, 4), np.uint8)
    for mask, color in filled:
        painted[mask] = (*_rgb(color), round(255 * FILL))
    for mask, color in lines:
        painted[edge_of(mask)] = (*_rgb(color), 255)
    return painted


def edge_of(mask: Array) -> Array:
    """Return the pixels of a mask that touch one outside of it; the frame is none."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (1, -1):
            moved = np.roll(mask, step, axis)
            ends = [slice(None), slice(None)]
            ends[axis] = slice(0, 1) if step == 1 else slice(-1, None)
            moved[tuple(ends)] = True
            inner &= moved
    return np.asarray(mask & ~inner)


def _rgb(color: str) -> tuple[int, int, int]:
    """Return red, green and blue of a color as ``#0072B2``."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def truth_line() -> Any:
    """Return the legend's handle of what is drawn as a line."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=LIGHT, linewidth=1.6, label="truth")
