"""Points: rings and crosses with their names, and how far they are apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import PALETTE
from autoseg.report.pictures.layers import LIGHT, Layer, fill_and_line
from autoseg.report.pictures.planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]


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

    def painted(self, cut: Callable[[Array], Array]) -> Array:
        """Paint blocks of three voxels: predicted points filled, true ones as edges."""
        filled: list[tuple[Array, str]] = []
        lines: list[tuple[Array, str]] = []
        for points, shown in ((self.prediction, filled), (self.reference, lines)):
            for name, place in points.items():
                block = np.zeros(self.shape, dtype=bool)
                middle = np.rint(place).astype(int)
                box = tuple(slice(max(0, i - 1), max(0, i + 2)) for i in middle)
                block[box] = True
                shown.append((cut(block), self.colors.get(name, PALETTE[0])))
        if not filled and not lines:
            return super().painted(cut)
        return fill_and_line(filled, lines)

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
