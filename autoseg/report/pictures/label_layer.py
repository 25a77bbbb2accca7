"""Label maps: classes filled, the truth as lines of the same colors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.report.pictures.layers import (
    FILL,
    LIGHT,
    Layer,
    fill_and_line,
    truth_line,
)
from autoseg.report.pictures.planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]

FINER = 4  # points on a voxel's edge, for lines


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

    def painted(self, cut: Callable[[Array], Array]) -> Array:
        said = cut(self.prediction)
        true = said if self.reference is None else cut(self.reference)
        pairs = [(self.colors[name], v) for name, v in self.members.items()]
        return fill_and_line(
            [(np.isin(said, values), color) for color, values in pairs],
            [(np.isin(true, values), color) for color, values in pairs],
        )

    def legend(self) -> list[Any]:
        from matplotlib.patches import Patch

        classes = [
            Patch(facecolor=color, alpha=0.9, label=name)
            for name, color in self.colors.items()
        ]
        filled = Patch(facecolor=LIGHT, alpha=FILL, label="prediction")
        return [*classes, filled, *([] if self.reference is None else [truth_line()])]


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
