"""Centers: each voxel tells of its object's box and a small mask in it, or of rays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.errors import PlanError
from autoseg.representations import REPRESENTATIONS
from autoseg.representations._rays import paint
from autoseg.representations._seeds import (
    BETA,
    FEATURES,
    SURE,
    VOTES,
    Tells,
    box_of,
    corners,
    drawn,
    owners,
    sides,
    sigmoid,
    telling,
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
from autoseg.spec.arrays.polar import center_of, directions, reach
from autoseg.spec.arrays.small_masks import enlarged, shrunk
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

EDGE = {2: 16, 3: 6}  # of a small mask, by axes
RAYS, FEWEST_RAYS = 36, 8
STAR = 0.9  # of most objects, seen from their middles: from there on rays are chosen
LONGEST = 4.0  # logarithm of a ray in the unit of distances
CHOSEN = {2: 10, 3: 6}  # as a plan has it: a head of 16 x 16 learns slowly


@REPRESENTATIONS.register
class Centers(Overlapping):
    """At each voxel the sides of its object's box, and the mask in it on a small grid.

    Any voxel that is of one object alone tells of it [1]_. Masks are as fine as the
    small grid allows. In planes, with ``rays``, a voxel tells instead where the
    object's center is, and how far the object goes from there in so many directions
    [2]_: fewer numbers, and outlines that are as round as they make them.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    edge : int, optional
        Points of the small grid along each axis.
    rays : int
        Directions in place of the small grid; 0: the grid. Of planes only.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps.
    scale : float
        Voxels that a distance of 1 in outputs is.
    features : int
        Channels that the network gives what voxels tell; 0: it tells by itself.
    beta : float
        Distance below which the error of a place counts by its square in training.
    dice : float
        Weight of the small masks' Dice in training, beside cross-entropy.
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
    .. [1] Lee and Park, "CenterMask: real-time anchor-free instance segmentation",
       CVPR 2020. arXiv:1911.06667
    .. [2] Xie et al., "PolarMask: single shot instance segmentation with polar
       representation", CVPR 2020. arXiv:1909.13226
    """

    def __init__(
        self,
        axes: int,
        edge: int | None = None,
        rays: int = 0,
        layers: int = 2,
        scale: float = 10.0,
        features: int = 0,
        beta: float = 1.0,
        dice: float = 0.0,
        votes: int = 1,
        sure: float = 0.7,
        same: float = 0.5,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        if rays and (axes != 2 or rays < FEWEST_RAYS):
            raise PlanError(
                f"task.representation.rays is {rays}, of {axes} axes: rays are of "
                f"planes, and at least {FEWEST_RAYS}. Leave it out (0), and masks are "
                "on a small grid, in volumes, too."
            )
        self.edge, self.rays = edge or EDGE[axes], rays
        self.layers, self.scale = layers, scale
        self.features = features
        self.beta, self.dice, self.votes = beta, dice, votes
        self.sure, self.same, self.least = sure, same, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        flat = int(measured["axes"]) == 2
        seen = measured.get("star", {}).get("p5", 0.0) >= STAR
        return {
            "edge": CHOSEN[int(measured["axes"])],
            "rays": RAYS if flat and seen else 0,
            "layers": max(2, int(measured.get("layers", 1))),
            "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
            "least": int(measured["least_voxels"]),
            "features": FEATURES,
            "beta": BETA,
            "dice": 1.0,
            "votes": VOTES,
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        options: dict[str, Any] = {"scale": self.scale, "beta": self.beta}
        if self.rays:
            loss = Choice(name="center_rays", options=options)
        else:
            more = {"axes": self.axes, "edge": self.edge, "dice": self.dice}
            loss = Choice(name="center_masks", options={**options, **more})
        told = self._places + (self.rays or self.edge**self.axes)
        head = Head(
            name="centers",
            channels=1 + told,
            activation="identity",
            loss=loss,
            mirrors=(None,) * self.axes,
        )
        return (telling(head, self.features, told),)

    @property
    def _places(self) -> int:
        """Numbers that tell where an object is: a center, or the sides of a box."""
        return self.axes if self.rays else 2 * self.axes

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        return {"centers": held(labels, self.axes, self.layers)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.heads[0].channels, *layers.shape[1:]), np.float32)
        output[0] = -SURE
        owner = owners(layers)
        for i, mask in masks_in(layers):
            own = np.nonzero(owner[mask.box] == i)
            places = tuple(at + low for at, low in zip(own, mask.start, strict=True))
            output[0][places] = SURE
            where: Any = (slice(1, 1 + self._places), *places)
            rest: Any = (slice(1 + self._places, None), *places)
            if self.rays:
                center = center_of(mask)
                output[where] = (center[:, None] - np.array(places) - 0.5) / self.scale
                far = reach(mask, center, directions(self.rays))
                output[rest] = np.log(far / self.scale)[:, None]
                continue
            output[where] = sides(mask, places) / self.scale
            likely = np.clip(shrunk(mask.inside, self.edge).ravel(), 1e-4, 1 - 1e-4)
            output[rest] = np.log(likely / (1 - likely))[:, None]
        return {"centers": output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        output = outputs["centers"]
        shape = output.shape[1:]

        def draw(at: Array) -> tuple[tuple[int, ...], Array]:
            told = output[(slice(None), *at.T)]
            where, rest = told[1 : 1 + self._places], told[1 + self._places :]
            if self.rays:
                return self._star(at, where, rest, shape)
            box = box_of(at, where * self.scale, shape)
            small = sigmoid(np.median(rest, axis=1)).reshape((self.edge,) * self.axes)
            size = [side.stop - side.start for side in box]
            return tuple(side.start for side in box), enlarged(small, size)

        def ends(at: Array) -> Array:
            told = output[(slice(None), *at.T)]
            where, rest = told[1 : 1 + self._places], told[1 + self._places :]
            if not self.rays:
                return corners(at, where * self.scale)
            far = np.exp(np.clip(rest, -LONGEST, LONGEST))[..., None] * self.scale
            tips = far * directions(self.rays)[:, None]  # (R, K, D)
            found: Array = (at + (where * self.scale).T + tips).swapaxes(0, 1)
            return found.reshape(len(at), -1)

        tells = Tells(draw, ends, self.votes)
        return drawn(sigmoid(output[0]), self.sure, self.same, tells)

    def _star(
        self, at: Array, where: Array, rest: Array, shape: Sequence[int]
    ) -> tuple[tuple[int, ...], Array]:
        """Return what rays from the center that voxels tell of make, see `drawn`."""
        center = np.median(at.T + where * self.scale, axis=1)
        center = np.clip(center, 0, np.array(shape) - 1)
        far = np.exp(np.clip(np.median(rest, axis=1), -LONGEST, LONGEST)) * self.scale
        box, inside = paint(center, far, directions(self.rays), (1.0, 1.0), shape)
        return tuple(side.start for side in box), inside.astype(np.float32)
