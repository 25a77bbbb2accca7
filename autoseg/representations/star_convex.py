"""Star-convex distances: from its middle, an instance is seen as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._rays import (
    mirrored_rays,
    paint,
    ray_lengths,
    rays,
)
from autoseg.representations.base import LAST, Array, Ids, Representation
from autoseg.representations.maps import depth, in_order, numbered, sizes, without
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

RAYS = {2: 32, 3: 64}
AS_SURE = 0.2  # of depth: what differs by less is as sure
AS_MUCH = 1.25  # factor of area or volume: what differs by less sees as much


@REPRESENTATIONS.register
class StarConvex(Representation):
    """How deep inside a voxel is, and how far it is to the border along rays.

    From the surest voxel on, each draws its shape; what lies inside of a shape draws
    none of its own. Of voxels that are about as sure, the one that sees most comes
    first. A shape that lies in another one to a good part is of the same instance, seen
    from another place: it adds what the first did not see.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    rays : int, optional
        Number of rays; 32 in a plane and 64 in a volume by default.
    scale : float
        Length that a distance of 1 stands for.
    longest : float
        Length of the longest ray, in units of length.
    middle : float
        Depth from which on a voxel may draw a shape, 0 to 1.
    least : int
        Voxels of the smallest instance.
    join : float
        Share of a shape in another one from which on both are one instance; 1: never.

    References
    ----------
    .. [1] Schmidt et al., "Cell detection with star-convex polygons", MICCAI 2018.
       doi:10.1007/978-3-030-00934-2_30
    .. [2] Weigert et al., "Star-convex polyhedra for 3D object detection and
       segmentation in microscopy", WACV 2020. doi:10.1109/WACV45572.2020.9093435
    """

    order = LAST
    tunable = {
        "middle": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        "least": (1, 10, 20, 40, 80),
        "join": (0.15, 0.3, 0.5, 1.0),
    }
    filters = {"least": 1}

    def __init__(
        self,
        axes: int,
        rays: int | None = None,
        scale: float = 10.0,
        longest: float = 64.0,
        middle: float = 0.4,
        least: int = 1,
        join: float = 0.3,
    ) -> None:
        super().__init__(axes)
        self.rays = rays or RAYS[axes]
        self.scale, self.longest = scale, longest
        self.middle, self.least, self.join = middle, least, join

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "scale": round(max(measured["diameter"]["p50"] / 2, 1e-3), 3),
            "longest": round(max(measured["extent"]["p100"], 1e-3), 3),
            "least": measured["least_voxels"],
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        middle = Choice(name="distance", options={"weight": 2.0})
        inside = Choice(name="distance", options={"inside": True})
        return (
            Head(name="middle", channels=1, activation="identity", loss=middle),
            Head(
                name="rays",
                channels=self.rays,
                activation="identity",
                loss=inside,
                mirrors=tuple(
                    mirrored_rays(self.rays, self.axes, axis)
                    for axis in range(self.axes)
                ),
            ),
        )

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        labels, count = numbered(labels)
        deep = depth(labels, spacing)
        deepest = np.zeros(count + 1, np.float32)
        np.maximum.at(deepest, labels.ravel(), deep.ravel())
        deepest[0] = 1
        directions = rays(self.rays, self.axes)
        lengths = ray_lengths(labels, deep, directions, spacing, self.longest)
        return {
            "middle": (deep / deepest[labels])[None],
            "rays": lengths / np.float32(self.scale),
        }

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        middle, lengths = outputs["middle"][0], outputs["rays"]
        labels = np.zeros(middle.shape, np.int32)
        candidates = np.flatnonzero(middle >= max(self.middle, 1e-6))
        order = candidates[_order(candidates, middle, lengths)]
        directions = rays(self.rays, self.axes)
        drawn = np.zeros(middle.size, bool)
        surest: list[float] = [1.0]
        for at in order.tolist():
            if drawn[at]:
                continue
            center = np.array(np.unravel_index(at, middle.shape))
            own = np.maximum(lengths[(slice(None), *center)], 0) * self.scale
            own = np.minimum(own, self.longest)
            box, inside = paint(center, own, directions, spacing, middle.shape)
            drawn.reshape(middle.shape)[box] |= inside
            drawn[at] = True
            free = inside & (labels[box] == 0)
            taken, counts = np.unique(labels[box][inside & ~free], return_counts=True)
            if counts.max(initial=0) > self.join * inside.sum():
                labels[box][free] = taken[counts.argmax()]
                continue
            if free.sum() * 2 <= inside.sum():
                continue  # mostly another's
            labels[box][free] = len(surest)
            surest.append(float(np.clip(middle.ravel()[at], 0, 1)))
        small = np.zeros(len(surest), bool)
        counted = sizes(labels)
        small[: len(counted)] = counted < self.least
        labels, old = in_order(without(labels, small))
        return labels, {i: surest[int(o)] for i, o in enumerate(old, 1)}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        return {"least": sizes(labels)}


def _order(candidates: Array, middle: Array, lengths: Array) -> Array:
    """Return the order in which candidates draw: how sure, then how much they see.

    Along the ridge of a bent rod all are as deep; from its end little of it is seen.
    Both are compared coarsely: of round shapes, the surest voxel is the best.
    """
    seen = np.zeros(len(candidates), np.float32)
    for ray in lengths:
        seen += np.maximum(ray.ravel()[candidates], 0) ** middle.ndim
    much = np.rint(np.log(np.maximum(seen, 1e-6)) / np.log(AS_MUCH))
    sure = middle.ravel()[candidates]
    order: Array = np.lexsort((-sure, -much, -np.rint(sure / AS_SURE)))
    return order
