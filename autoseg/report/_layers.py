"""What is painted over a plane of an image, one class for each kind of annotation.

A layer decides where it is worth looking (`focus`) and paints itself (`draw`); pictures
know nothing else of annotations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.report._figure import PALETTE
from autoseg.report._planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
Box = tuple[float, float, float, float]  # left, bottom, width, height in inches

NIGHT = "#0D1117"
FILL = 0.42  # opacity of what is filled
FINER = 4  # points on a voxel's edge, for lines
SAMPLE = 200_000  # voxels that tell what is black and what is white


def class_colors(names: Iterable[str]) -> dict[str, str]:
    """Return a color for each class, the same in every picture of a data set."""
    return {name: PALETTE[number % len(PALETTE)] for number, name in enumerate(names)}


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


@dataclass(frozen=True, kw_only=True)
class LabelLayer(Layer):
    """A label map, filled; another one as lines of the same colors.

    Parameters
    ----------
    prediction : ndarray of int, shape S
        What is filled.
    reference : ndarray of int, shape S, optional
        What is drawn as lines; by default the edge of what is filled.
    members : mapping of str to tuple of int
        Label values of each class, in drawing order.
    colors : mapping of str to str
        By class.
    """

    prediction: Array
    reference: Array | None
    members: Mapping[str, tuple[int, ...]]
    colors: Mapping[str, str]

    def focus(self) -> Array:
        there = self.reference is not None and np.any(self.reference > 0)
        return np.asarray(self.reference if there else self.prediction)

    def draw(self, axes: Axes, plane: Plane) -> None:
        from matplotlib.patheffects import Normal, Stroke

        halo = [Stroke(linewidth=2.2, foreground="black", alpha=0.55), Normal()]
        predicted = plane.cut(self.prediction)
        outlined = predicted if self.reference is None else plane.cut(self.reference)
        for name, values in self.members.items():
            filled, line = np.isin(predicted, values), np.isin(outlined, values)
            color = self.colors[name]
            if filled.any():
                axes.contourf(
                    *rounded(filled, plane), levels=[0.5, 9], colors=[color],
                    alpha=FILL, antialiased=True,
                )  # fmt: skip
            if line.any() and not line.all():
                drawn = axes.contour(
                    *rounded(line, plane), levels=[0.5], colors=[color], linewidths=1.3
                )
                drawn.set_path_effects(halo)


def rounded(mask: Array, plane: Plane) -> tuple[Array, Array, Array]:
    """Return places and values of a mask on a finer grid, without its stairs.

    Cubic interpolation goes through the voxels' own values: none appears or disappears.
    """
    from scipy.ndimage import zoom

    fine = zoom(
        np.pad(mask, 1, mode="edge").astype(np.float32),
        FINER, order=3, mode="nearest", grid_mode=True,
    )[FINER:-FINER, FINER:-FINER]  # fmt: skip
    down, across = (
        (np.arange(count) + 0.5) * edge / FINER
        for count, edge in zip(fine.shape, plane.spacing, strict=True)
    )
    return across, down, fine
