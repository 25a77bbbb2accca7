"""Prototypes: a few maps, of which each voxel says how its object is put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autoseg.metrics.masks import overlapping_boxes
from autoseg.representations import REPRESENTATIONS
from autoseg.representations._seeds import (
    BETA,
    FEATURES,
    SURE,
    Tells,
    box_of,
    corners,
    drawn,
    owners,
    sides,
    sigmoid,
    telling,
    widened,
)
from autoseg.representations.base import (
    SITUATIONS,
    Array,
    Ids,
    Overlapping,
    held,
    layers_of,
    masks_in,
)
from autoseg.spec.arrays.ellipses import inside, numbers
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head


@REPRESENTATIONS.register
class Prototypes(Overlapping):
    """Maps of the whole image, and at each voxel the weights of its object's mask.

    An object's mask is the sum of the maps, each times its weight, in the object's box
    [1]_. Any voxel that is of one object alone tells of it: how sure it is, where the
    sides of the box are, and the weights; and of an ellipse that is added, so that maps
    need not tell where an object is [2]_. Objects whose boxes are far from each other
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
    features : int
        Channels that the network gives what voxels tell; 0: it tells by itself.
    ellipse : bool
        Voxels tell of an ellipse, too.
    beta : float
        Distance below which the error of a side counts by its square in training.
    votes : int
        Voxels of an object that are asked together.
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
    .. [2] Tian et al., "Conditional convolutions for instance segmentation", ECCV 2020.
       arXiv:2003.05664. There, places are channels that masks are made of.
    """

    # Of those that hold overlaps, the one that learns fastest: docs/why/0008.
    order: ClassVar[Mapping[str, int]] = dict.fromkeys(SITUATIONS, 0)

    def __init__(
        self,
        axes: int,
        prototypes: int = 16,
        layers: int = 2,
        scale: float = 10.0,
        features: int = 0,
        ellipse: bool = False,
        beta: float = 1.0,
        votes: int = 1,
        sure: float = 0.7,
        same: float = 0.5,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.prototypes, self.layers, self.scale = prototypes, layers, scale
        self.features, self.ellipse = features, ellipse
        self.beta, self.votes = beta, votes
        self.sure, self.same, self.least = sure, same, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "layers": max(2, int(measured.get("layers", 1))),
            "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
            "least": int(measured["least_voxels"]),
            "features": FEATURES,
            "ellipse": True,
            "beta": BETA,
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {
            "axes": self.axes,
            "scale": self.scale,
            "beta": self.beta,
            "ellipse": self.ellipse,
        }
        also = numbers(self.axes) if self.ellipse else 0
        told = 2 * self.axes + self.prototypes + also
        head = Head(
            name="prototypes",
            channels=1 + told + self.prototypes,
            activation="identity",
            loss=Choice(name="prototype_masks", options=options),
            mirrors=(None,) * self.axes,
        )
        return (telling(head, self.features, told, self.prototypes),)

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        return {"prototypes": held(labels, self.axes, self.layers)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.heads[0].channels, *layers.shape[1:]), np.float32)
        sure, far, weights, ellipses, maps = self._parts(output)
        sure[:], maps[:] = -SURE, -1.0
        ellipses[self.axes : 2 * self.axes] = -1.0  # endless: maps tell of everything
        owner = owners(layers)
        objects = masks_in(layers)
        colors = _colors([mask for _, mask in objects], layers.shape[1:])
        for (i, mask), color in zip(objects, colors, strict=True):
            if color >= self.prototypes:
                continue
            own = np.nonzero(owner[mask.box] == i)
            places = tuple(at + low for at, low in zip(own, mask.start, strict=True))
            sure[places] = SURE
            every: Any = (slice(None), *places)
            mine: Any = (color, *places)
            far[every] = sides(mask, places) / self.scale
            weights[mine] = SURE
            maps[color][mask.box][mask.inside] = 1.0
        return {"prototypes": output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        sure, far, weights, ellipses, maps = self._parts(outputs["prototypes"])

        def draw(at: Array) -> tuple[tuple[int, ...], Array]:
            here: Any = (slice(None), *at.T)
            box = widened(box_of(at, far[here] * self.scale, sure.shape), sure.shape)
            said = np.median(weights[here], axis=1)
            part = np.tensordot(said, maps[(slice(None), *box)], 1)
            if self.ellipse:
                part = part + self._ellipse(ellipses[here], at, box)
            return tuple(side.start for side in box), sigmoid(part)

        def ends(at: Array) -> Array:
            return corners(at, far[(slice(None), *at.T)] * self.scale)

        tells = Tells(draw, ends, self.votes)
        return drawn(sigmoid(sure), self.sure, self.same, tells)

    def _ellipse(self, told: Array, at: Array, box: Sequence[slice]) -> Array:
        """Return how far inside of their ellipses voxels say that a box is."""
        axes = [np.arange(side.start, side.stop) / self.scale for side in box]
        places = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
        every = [
            inside(one, place / self.scale, places)
            for one, place in zip(told.T, at, strict=True)
        ]
        middle: Array = np.median(every, axis=0)
        return middle

    def _parts(self, output: Array) -> tuple[Array, Array, Array, Array, Array]:
        """Return how sure, sides of boxes, weights, ellipses and prototypes."""
        also = numbers(self.axes) if self.ellipse else 0
        ends = np.cumsum([1, 2 * self.axes, self.prototypes, also])
        sure, far, weights, ellipses, maps = np.split(output, ends)
        return sure[0], far, weights, ellipses, maps


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
