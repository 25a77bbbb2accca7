"""Maps of numbers of which nothing is known: what is not 0, in colors of its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.report.pictures.layers import FILL, Layer
from autoseg.report.pictures.planes import Plane

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = "viridis"


@dataclass(frozen=True, kw_only=True)
class MapLayer(Layer):
    """A map, the lowest value dark and the highest bright.

    Parameters
    ----------
    prediction : ndarray, shape S
        What is painted.
    reference : ndarray, shape S, or None
        The annotation, which is painted beside it where there is room.
    """

    prediction: NDArray[Any]
    reference: NDArray[Any] | None

    def focus(self) -> NDArray[Any]:
        there = self.reference is not None and np.any(self.reference)
        shown = np.asarray(self.reference if there else self.prediction)
        result: NDArray[Any] = (shown != 0).astype(np.uint8)
        return result

    def draw(self, axes: Axes, plane: Plane) -> None:
        values = plane.cut(self.prediction).astype(np.float64)
        least, most = float(self.prediction.min()), float(self.prediction.max())
        axes.imshow(
            np.ma.masked_equal(values, 0), cmap=COLORS, vmin=least,
            vmax=max(most, least + 1e-6), alpha=FILL, extent=plane.extent,
            interpolation="nearest", aspect="auto",
        )  # fmt: skip

    def legend(self) -> list[Any]:
        from matplotlib import colormaps
        from matplotlib.patches import Patch

        ends = (("lowest", 0.0), ("highest", 1.0))
        return [
            Patch(facecolor=colormaps[COLORS](value), alpha=0.9, label=f"{name} value")
            for name, value in ends
        ]

    def side_by_side(self) -> Mapping[str, Layer]:
        if self.reference is None:
            return {"prediction": self}
        truth = MapLayer(prediction=self.reference, reference=None)
        return {"truth": truth, "prediction": self}
