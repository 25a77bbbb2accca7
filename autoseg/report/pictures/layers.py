"""What is painted over a plane of an image, one class for each kind of annotation.

A layer decides where it is worth looking (`focus`) and paints itself (`draw`); pictures
know nothing else of annotations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import PALETTE
from autoseg.metrics.contingency import count_shared
from autoseg.metrics.matching import match
from autoseg.report.pictures.planes import Plane

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

    @abstractmethod
    def legend(self) -> list[Any]:
        """Return matplotlib's handles, with labels that say what is painted how."""

    def side_by_side(self) -> Mapping[str, Layer]:
        """Return what to paint in each panel of a flat image, by its heading."""
        return {"prediction": self}


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

    def legend(self) -> list[Any]:
        from matplotlib.patches import Patch

        classes = [
            Patch(facecolor=color, alpha=0.9, label=name)
            for name, color in self.colors.items()
        ]
        filled = Patch(facecolor=LIGHT, alpha=FILL, label="prediction")
        return [*classes, filled, *([] if self.reference is None else [_line()])]


def _line() -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=LIGHT, linewidth=1.6, label="truth")


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


@dataclass(frozen=True, kw_only=True)
class InstanceLayer(Layer):
    """Objects: those predicted filled, each in a color of its own; annotated as lines.

    Parameters
    ----------
    prediction : ndarray of int, shape S
        Ids, 0 for background.
    reference : ndarray of int, shape S, optional
        Ids of the annotation, drawn as white lines.
    """

    prediction: Array
    reference: Array | None

    def focus(self) -> Array:
        there = self.reference is not None and np.any(self.reference > 0)
        shown = np.asarray(self.reference if there else self.prediction)
        return (shown > 0).astype(np.uint8)

    def draw(self, axes: Axes, plane: Plane) -> None:
        from matplotlib.colors import to_rgb

        ids = plane.cut(self.prediction)
        table = np.array([to_rgb(color) for color in PALETTE])
        # Ids of neighbors often follow each other: spread them over the colors.
        painted = np.zeros((*ids.shape, 4))
        painted[..., :3] = table[(ids * 2) % len(PALETTE)]
        painted[..., 3] = np.where(ids > 0, 0.5, 0.0)
        painted[_edges(ids), 3] = 1.0
        axes.imshow(painted, extent=plane.extent, interpolation="nearest",
                    aspect="auto")  # fmt: skip
        if self.reference is not None:
            lines = np.zeros((*ids.shape, 4))
            lines[_edges(plane.cut(self.reference))] = (1, 1, 1, 0.9)
            axes.imshow(lines, extent=plane.extent, interpolation="nearest",
                        aspect="auto")  # fmt: skip

    def legend(self) -> list[Any]:
        from matplotlib.patches import Patch

        filled = Patch(facecolor=PALETTE[1], alpha=0.7, label="an object of any color")
        return [filled, *([] if self.reference is None else [_line()])]

    def side_by_side(self) -> Mapping[str, Layer]:
        if self.reference is None:
            return {"prediction": self}
        alike = InstanceLayer(
            prediction=_like(self.prediction, self.reference), reference=self.reference
        )
        truth = InstanceLayer(prediction=self.reference, reference=None)
        return {"truth": truth, "prediction": alike}


def _like(predicted: Array, reference: Array) -> Array:
    """Return predicted ids so that an object that is right has the truth's color."""
    table = count_shared(predicted, reference)
    numbers = np.arange(len(table.predicted)) + int(reference.max(initial=0)) + 1
    pairs = match(table, 0.5)
    numbers[table.rows[pairs]] = table.reference[table.columns[pairs]]
    known = np.concatenate([[0], table.predicted])
    return np.concatenate([[0], numbers])[np.searchsorted(known, predicted)]


def _edges(ids: Array) -> Array:
    """Return the pixels of objects beside which the id is another one."""
    edge = np.zeros(ids.shape, dtype=bool)
    for axis in range(ids.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(2))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(2))
        differs = ids[low] != ids[high]
        edge[low] |= differs
        edge[high] |= differs
    return edge & (ids > 0)


@dataclass(frozen=True, kw_only=True)
class PointLayer(Layer):
    """Named points: annotated as rings, predicted as crosses, the error as a circle.

    The circle around an annotated point goes through the predicted one, in the plane's
    own projection. Points far from a plane of a volume are paler.

    Parameters
    ----------
    shape : tuple of int, length D
        Of the image.
    spacing : tuple of float, length D
        Edge of a voxel.
    prediction, reference : mapping of str to ndarray of float, shape (D,)
        Places in voxels, by name; only points that are there.
    colors : mapping of str to str
        By name.
    radii : mapping of str to float
        Within which a prediction says that it is right in 95 of 100 cases, in the unit
        of the spacing; drawn as thin circles.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    prediction: Mapping[str, Array]
    reference: Mapping[str, Array]
    colors: Mapping[str, str]
    radii: Mapping[str, float] = field(default_factory=dict)

    def focus(self) -> Array:
        found = np.zeros(self.shape, dtype=np.uint16)
        for number, place in enumerate((self.reference or self.prediction).values()):
            index = np.clip(np.rint(place).astype(int), 0, np.array(self.shape) - 1)
            found[tuple(index)] = number + 1
        return found

    def draw(self, axes: Axes, plane: Plane) -> None:
        from matplotlib.patches import Circle

        for name in {**self.reference, **self.prediction}:
            color = self.colors.get(name, PALETTE[0])
            true, found = self.reference.get(name), self.prediction.get(name)
            alpha = self._nearness(plane, true if true is not None else found)
            start = None if true is None else self._at(plane, true)
            end = None if found is None else self._at(plane, found)
            if start is not None:
                axes.plot(*start, "o", mfc="none", mec=color, ms=6, alpha=alpha)
                axes.annotate(
                    name, start, xytext=(5, 4), textcoords="offset points",
                    fontsize=6, color=color, alpha=alpha,
                )  # fmt: skip
            if end is not None:
                axes.plot(*end, "+", color=color, ms=7, mew=1.6, alpha=alpha)
            said = end if end is not None else start
            if name in self.radii and said is not None:
                thin = Circle(said, self.radii[name], fill=False, ec=color, lw=0.7)
                thin.set(alpha=0.8 * alpha)
                axes.add_patch(thin)
            if start is not None and end is not None:
                radius = float(np.hypot(start[0] - end[0], start[1] - end[1]))
                circle = Circle(
                    start, radius, fill=True, fc=color, ec=color, alpha=0.25 * alpha
                )
                axes.add_patch(circle)

    def legend(self) -> list[Any]:
        from matplotlib.lines import Line2D

        looks: dict[str, dict[str, Any]] = {
            "truth": {"marker": "o", "mfc": "none"},
            "prediction": {"marker": "+", "mew": 1.6},
        }
        found = [
            Line2D([], [], ls="", color=LIGHT, ms=7, label=label, **look)
            for label, look in looks.items()
        ]
        filled: dict[str, Any] = {"marker": "o", "alpha": 0.4, "mec": "none", "ms": 9}
        found.append(Line2D([], [], ls="", color=LIGHT, label="error", **filled))
        if self.radii:
            thin: dict[str, Any] = {"marker": "o", "mfc": "none", "mew": 0.7, "ms": 12}
            within = "95 % of such errors"
            found.append(Line2D([], [], ls="", color=LIGHT, label=within, **thin))
        return found

    def _at(self, plane: Plane, place: Array) -> tuple[float, float]:
        """Return x and y of a point in a plane, in physical units."""
        free = [
            (part.start + 0.0, place[axis], self.spacing[axis])
            for axis, part in enumerate(plane.index)
            if isinstance(part, slice)
        ]
        down, across = ((at - start + 0.5) * edge for start, at, edge in free)
        return float(across), float(plane.height - down if plane.flipped else down)

    def _nearness(self, plane: Plane, place: Array | None) -> float:
        """Return 1 for a point in the plane, down to 0.25 for one far away."""
        if place is None or plane.through:
            return 1.0
        away = [
            abs(place[axis] - part) * self.spacing[axis]
            for axis, part in enumerate(plane.index)
            if not isinstance(part, slice)
        ]
        return float(max(0.25, 1.0 - sum(away) / (0.25 * plane.height)))
