"""Centers: each voxel tells of its object's box, and of a small mask in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._seeds import SURE, box_of, drawn, owners, sides, sigmoid
from autoseg.representations.base import (
    Array,
    Ids,
    Overlapping,
    held,
    layers_of,
    masks_in,
)
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.arrays.small_masks import enlarged, shrunk
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

EDGE = {2: 16, 3: 6}  # of a small mask, by axes
CHOSEN = {2: 10, 3: 6}  # as a plan has it: a head of 16 x 16 learns slowly


@REPRESENTATIONS.register
class Centers(Overlapping):
    """At each voxel the sides of its object's box, and the mask in it on a small grid.

    Any voxel that is of one object alone tells of it [1]_ [2]_. Masks are as fine as
    the small grid allows.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    edge : int, optional
        Points of the small grid along each axis.
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
    .. [1] Lee and Park, "CenterMask: real-time anchor-free instance segmentation",
       CVPR 2020. arXiv:1911.06667
    .. [2] Xie et al., "PolarMask: single shot instance segmentation with polar
       representation", CVPR 2020. arXiv:1909.13226
    """

    def __init__(
        self,
        axes: int,
        edge: int | None = None,
        layers: int = 2,
        scale: float = 10.0,
        sure: float = 0.7,
        same: float = 0.5,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.edge = edge or EDGE[axes]
        self.layers, self.scale = layers, scale
        self.sure, self.same, self.least = sure, same, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "edge": CHOSEN[int(measured["axes"])],
            "layers": max(2, int(measured.get("layers", 1))),
            "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
            "least": int(measured["least_voxels"]),
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {"axes": self.axes, "edge": self.edge, "scale": self.scale}
        return (
            Head(
                name="centers",
                channels=1 + 2 * self.axes + self.edge**self.axes,
                activation="identity",
                loss=Choice(name="center_masks", options=options),
                mirrors=(None,) * self.axes,
            ),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        return {"centers": held(labels, self.axes, self.layers)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.heads[0].channels, *layers.shape[1:]), np.float32)
        output[0] = -SURE
        owner = owners(layers)
        for i, mask in masks_in(layers):
            inside = np.nonzero(owner[mask.box] == i)
            places = tuple(at + low for at, low in zip(inside, mask.start, strict=True))
            far = 1 + 2 * self.axes
            output[0][places] = SURE
            box: Any = (slice(1, far), *places)
            output[box] = sides(mask, places) / self.scale
            small = shrunk(mask.inside, self.edge).ravel()
            likely = np.clip(small, 1e-4, 1 - 1e-4)
            logit = np.log(likely / (1 - likely))
            grid: Any = (slice(far, None), *places)
            output[grid] = logit[:, None]
        return {"centers": output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        output, far = outputs["centers"], 1 + 2 * self.axes
        shape = output.shape[1:]

        def draw(at: tuple[int, ...]) -> tuple[tuple[int, ...], Array]:
            where: Any = (slice(None), *at)
            here = output[where]
            box = box_of(at, here[1:far] * self.scale, shape)
            small = sigmoid(here[far:]).reshape((self.edge,) * self.axes)
            size = [side.stop - side.start for side in box]
            return tuple(side.start for side in box), enlarged(small, size)

        return drawn(sigmoid(output[0]), self.sure, self.same, draw)
