"""Affinities: does a voxel belong to the same instance as one that is near, or far?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._mutex import mutex_watershed
from autoseg.representations.base import Array, Ids, Representation
from autoseg.representations.maps import (
    in_order,
    mean_inside,
    numbered,
    shifted,
    sizes,
    without,
)
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

FAR = 0.5  # distance of the far neighbor, in median diameters


@REPRESENTATIONS.register
class Affinities(Representation):
    """The probability of being one instance with the next voxel, and with a far one.

    Near neighbors attract, far ones repel; a mutex watershed makes instances of both.
    There is nothing that slices far apart could spoil.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    far : sequence of int, length D, optional
        Distance of the far neighbor along each axis in voxels; 0: none along it.
    foreground : float
        Probability from which on a voxel belongs to an instance.
    bond : float
        Affinity of near neighbors from which on they are put together at first.
    least : int
        Voxels of the smallest instance.

    References
    ----------
    .. [1] Wolf et al., "The mutex watershed: efficient, parameter-free image
       partitioning", ECCV 2018. doi:10.1007/978-3-030-01225-0_34
    """

    order = {"apart": 2, "crowded": 0, "touching": 2}
    tunable = {
        "foreground": (0.3, 0.4, 0.5, 0.6, 0.7),
        "bond": (0.7, 0.8, 0.9, 0.95),
        "least": (1, 10, 20, 40, 80),
    }
    filters = {"least": 1}

    def __init__(
        self,
        axes: int,
        far: Sequence[int] | None = None,
        foreground: float = 0.5,
        bond: float = 0.9,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.far = tuple((6,) * axes if far is None else far)[-axes:]
        self.foreground, self.bond, self.least = foreground, bond, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        reach = FAR * measured["diameter"]["p50"]
        return {
            "far": [max(1, round(reach / edge)) for edge in measured["spacing"]],
            "least": measured["least_voxels"],
        }

    @property
    def offsets(self) -> list[tuple[int, ...]]:
        """Offsets to the neighbors: near ones along each axis, then far ones."""
        units = np.eye(self.axes, dtype=int)
        near = [tuple(int(v) for v in unit) for unit in units]
        far = [
            tuple(int(v) for v in step * unit)
            for step, unit in zip(self.far, units, strict=True)
            if step > 1
        ]
        return near + far

    @property
    def heads(self) -> tuple[Head, ...]:
        label = Choice(name="dice_bce", options={"regions": [[1]]})
        same = Choice(name="affinity", options={})
        return (
            Head(name="foreground", channels=1, activation="sigmoid", loss=label),
            Head(
                name="affinities",
                channels=len(self.offsets),
                activation="sigmoid",
                loss=same,
                # In a mirror, an affinity is that with the neighbor on the other side.
                mirrors=(None,) * self.axes,
            ),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        labels = np.maximum(labels, 0)
        same = [
            (labels > 0) & (labels == shifted(labels, offset, 0))
            for offset in self.offsets
        ]
        return {
            "foreground": (labels > 0).astype(np.int16),
            "affinities": np.stack(same).astype(np.float32),
        }

    def unknown(
        self, labels: Ids, ignored: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.bool_]]:
        # Background is one with nothing, whatever the other voxel is.
        other = [shifted(ignored, offset, False) for offset in self.offsets]
        return {"affinities": np.stack([ignored | (labels > 0) & o for o in other])}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        targets = self.targets(labels, spacing)
        return targets | {"foreground": targets["foreground"][None].astype(np.float32)}

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        sure = outputs["foreground"][0]
        foreground = sure >= max(self.foreground, 1e-6)
        labels = mutex_watershed(
            outputs["affinities"], self.offsets, self.axes, foreground, self.bond
        )
        labels, _ = numbered(labels)
        labels, _ = in_order(without(labels, sizes(labels) < self.least))
        score = np.clip(mean_inside(labels, sure), 0, 1)
        return labels, {i: float(score[i]) for i in range(1, len(score))}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        return {"least": sizes(labels)}
