"""Prototypes: a few maps, of which each voxel says how its object is put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.metrics.masks import overlapping_boxes
from autoseg.representations import REPRESENTATIONS
from autoseg.representations._seeds import (
    SURE,
    box_of,
    drawn,
    owners,
    sides,
    sigmoid,
    widened,
)
from autoseg.representations.base import (
    Array,
    Ids,
    Overlapping,
    held,
    layers_of,
    masks_in,
)
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head


@REPRESENTATIONS.register
class Prototypes(Overlapping):
    """Maps of the whole image, and at each voxel the weights of its object's mask.

    An object's mask is the sum of the maps, each times its weight, in the object's box
    [1]_. Any voxel that is of one object alone tells of it: how sure it is, where the
    sides of the box are, and the weights. Objects whose boxes are far from each other
    may use the same maps.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    prototypes : int
        Maps.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps.
    scale : float
        Voxels that a distance of 1 in outputs is.
    sure : float
        From which on a voxel is asked for its object.
    same : float
        IoU over which the less sure of two objects is the other one again.
    least : int
        Voxels of the smallest object.

    References
    ----------
    .. [1] Bolya et al., "YOLACT: real-time instance segmentation", ICCV 2019.
       arXiv:1904.02689
    """

    def __init__(
        self,
        axes: int,
        prototypes: int = 16,
        layers: int = 2,
        scale: float = 10.0,
        sure: float = 0.7,
        same: float = 0.5,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.prototypes, self.layers, self.scale = prototypes, layers, scale
        self.sure, self.same, self.least = sure, same, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "layers": max(2, int(measured.get("layers", 1))),
            "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
            "least": int(measured["least_voxels"]),
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {"axes": self.axes, "scale": self.scale}
        return (
            Head(
                name="prototypes",
                channels=1 + 2 * self.axes + 2 * self.prototypes,
                activation="identity",
                loss=Choice(name="prototype_masks", options=options),
                mirrors=(None,) * self.axes,
            ),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        return {"prototypes": held(labels, self.axes, self.layers)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.heads[0].channels, *layers.shape[1:]), np.float32)
        sure, far, weights, maps = self._parts(output)
        sure[:], maps[:] = -SURE, -1.0
        owner = owners(layers)
        objects = masks_in(layers)
        colors = _colors([mask for _, mask in objects], layers.shape[1:])
        for (i, mask), color in zip(objects, colors, strict=True):
            if color >= self.prototypes:
                continue
            inside = np.nonzero(owner[mask.box] == i)
            places = tuple(at + low for at, low in zip(inside, mask.start, strict=True))
            sure[places] = SURE
            every: Any = (slice(None), *places)
            own: Any = (color, *places)
            far[every] = sides(mask, places) / self.scale
            weights[own] = SURE
            maps[color][mask.box][mask.inside] = 1.0
        return {"prototypes": output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        sure, far, weights, maps = self._parts(outputs["prototypes"])

        def draw(at: tuple[int, ...]) -> tuple[tuple[int, ...], Array]:
            here: Any = (slice(None), *at)
            box = widened(box_of(at, far[here] * self.scale, sure.shape), sure.shape)
            part = np.tensordot(weights[here], maps[(slice(None), *box)], 1)
            return tuple(side.start for side in box), sigmoid(part)

        return drawn(sigmoid(sure), self.sure, self.same, draw)

    def _parts(self, output: Array) -> tuple[Array, Array, Array, Array]:
        """Return how sure voxels are, sides of boxes, weights and prototypes."""
        ends = np.cumsum([1, 2 * self.axes, self.prototypes])
        sure, far, weights, maps = np.split(output, ends)
        return sure[0], far, weights, maps


def _colors(masks: Sequence[Mask], shape: Sequence[int]) -> list[int]:
    """Return a map for each object, another than that of any whose box it meets."""
    wide = []
    for mask in masks:
        box = widened(mask.box, shape)
        start = tuple(part.start for part in box)
        size = [part.stop - part.start for part in box]
        wide.append(Mask(start, np.broadcast_to(np.True_, size)))
    rivals: list[set[int]] = [set() for _ in masks]
    for one, other in overlapping_boxes(wide, wide):
        rivals[int(one)].add(int(other))
    colors: list[int] = []
    for number, others in enumerate(rivals):
        taken = {colors[other] for other in others if other < number}
        colors.append(next(c for c in range(len(taken) + 1) if c not in taken))
    return colors
