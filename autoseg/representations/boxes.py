"""Boxes: objects are found first, and then a mask is made in the box of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._seeds import BETA, FEATURES, SURE, owners, sides, telling
from autoseg.representations._sets import MapForEach, maps_for, options_for
from autoseg.representations.base import Array, Ids, layers_of, masks_in
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

EDGE = {2: 16, 3: 8}  # of a region, by axes


@REPRESENTATIONS.register
class Boxes(MapForEach):
    """Detect, then segment: boxes first, and a mask in each of them [1]_.

    Any voxel that is of one object alone tells how sure it is and where the sides of
    the object's box are [2]_. The surest boxes are kept, none nearly the same as a
    surer one; the features in each are looked at on a grid of points, together with
    those of the voxel that told of it, and give the mask.

    Parameters
    ----------
    axes : int
        Number of spatial axes.
    regions : int
        Boxes that are looked at, the surest: no patch gives more objects.
    edge : int, optional
        Points of a region along each axis.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps: a loss is
        given the objects so.
    features : int
        Channels that the network gives regions.
    scale : float
        Voxels that a distance of 1 in outputs is.
    box_features : int
        Channels that the network gives what voxels tell of boxes; 0: it tells by
        itself.
    beta : float
        Distance below which the error of a side counts by its square in training.
    sure : float
        Mean probability of a mask from which on it is an object.
    inside : float
        From which on a voxel is in it.
    same : float
        IoU over which the less sure of two is taken for the other one again.
    least : int
        Voxels of the smallest object.

    References
    ----------
    .. [1] He et al., "Mask R-CNN", ICCV 2017. arXiv:1703.06870
    .. [2] Tian et al., "FCOS: fully convolutional one-stage object detection", ICCV
       2019. arXiv:1904.01355
    """

    def __init__(
        self,
        axes: int,
        regions: int = 50,
        edge: int | None = None,
        layers: int = 2,
        features: int = 16,
        scale: float = 10.0,
        box_features: int = 0,
        beta: float = 1.0,
        sure: float = 0.6,
        inside: float = 0.5,
        same: float = 0.6,
        least: int = 4,
    ) -> None:
        super().__init__(
            axes, "masks", regions, layers, scale, sure, inside, same, least
        )
        self.regions, self.features = regions, features
        self.box_features, self.beta = box_features, beta
        self.edge = edge or EDGE[axes]

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        own = {"regions": maps_for(measured), "box_features": FEATURES, "beta": BETA}
        return {**own, **options_for(measured)}

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {"regions": self.regions, "edge": self.edge, "scale": self.scale}
        told = {"axes": self.axes, "scale": self.scale, "beta": self.beta}
        blind = (None,) * self.axes
        boxes = Head(
            name="boxes",
            channels=1 + 2 * self.axes,
            activation="identity",
            loss=Choice(name="box_sides", options=told),
            mirrors=blind,
        )
        return (
            telling(boxes, self.box_features, 2 * self.axes),
            Head(
                name="masks",
                channels=self.regions,
                activation="sigmoid",
                loss=Choice(name="located_masks", options={}),
                mirrors=blind,
                reader=Choice(name="regions", options={**options, "boxes": "boxes"}),
                features=self.features,
            ),
        )

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((1 + 2 * self.axes, *layers.shape[1:]), np.float32)
        output[0] = -SURE
        owner = owners(layers)
        for i, mask in masks_in(layers):
            inside = np.nonzero(owner[mask.box] == i)
            places = tuple(at + low for at, low in zip(inside, mask.start, strict=True))
            output[0][places] = SURE
            far: Any = (slice(1, None), *places)
            output[far] = sides(mask, places) / self.scale
        return {"boxes": output, **super().encode(labels, spacing)}
