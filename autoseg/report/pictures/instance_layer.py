"""Instances: each predicted object in a color of its own, annotated ones as lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.figures.figure import PALETTE
from autoseg.metrics.contingency import count_shared
from autoseg.metrics.matching import match
from autoseg.report.pictures.layers import Layer, fill_and_line, truth_line
from autoseg.report.pictures.planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class InstanceLayer(Layer):
    """Objects: those predicted filled, each in a color of its own; annotated as lines.

    Parameters
    ----------
    prediction : ndarray of int, shape S
        Ids, 0 for background.
    reference : ndarray of int, shape S, optional
        Ids of the annotation, drawn as white lines.
    under, under_reference : sequence of ndarray of int, shape S
        Where objects overlap, maps that hold each of them whole: what others are on top
        of is shown by its outline.
    """

    prediction: Array
    reference: Array | None
    under: Sequence[Array] = ()
    under_reference: Sequence[Array] = ()

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
        for below in map(plane.cut, self.under):
            edge = _edges(below)
            painted[edge, :3] = table[(below[edge] * 2) % len(PALETTE)]
            painted[edge, 3] = 1.0
        axes.imshow(painted, extent=plane.extent, interpolation="nearest",
                    aspect="auto")  # fmt: skip
        if self.reference is not None:
            lines = np.zeros((*ids.shape, 4))
            for drawn in (self.reference, *self.under_reference):
                lines[_edges(plane.cut(drawn))] = (1, 1, 1, 0.9)
            axes.imshow(lines, extent=plane.extent, interpolation="nearest",
                        aspect="auto")  # fmt: skip

    def painted(self, cut: Callable[[Array], Array]) -> Array:
        ids = cut(self.prediction)
        count = len(PALETTE)
        shown = [
            ((ids > 0) & ((ids * 2) % count == n), PALETTE[n]) for n in range(count)
        ]
        painted = fill_and_line(shown, [])
        painted[_edges(ids), 3] = 255
        for below in map(cut, self.under):
            edge = _edges(below)
            color = (below * 2) % count
            parts = [(edge & (color == n), PALETTE[n]) for n in range(count)]
            painted[edge, :3] = fill_and_line(parts, [])[edge, :3]
            painted[edge, 3] = 255
        if self.reference is not None:
            for drawn in (self.reference, *self.under_reference):
                painted[_edges(cut(drawn))] = 255
        return painted

    def legend(self) -> list[Any]:
        from matplotlib.patches import Patch

        filled = Patch(facecolor=PALETTE[1], alpha=0.7, label="an object of any color")
        return [filled, *([] if self.reference is None else [truth_line()])]

    def side_by_side(self) -> Mapping[str, Layer]:
        if self.reference is None:
            return {"prediction": self}
        alike = InstanceLayer(
            prediction=_like(self.prediction, self.reference), reference=self.reference
        )
        truth = InstanceLayer(
            prediction=self.reference, reference=None, under=self.under_reference
        )
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
