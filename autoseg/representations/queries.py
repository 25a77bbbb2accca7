"""Queries: each asks for one object and is answered with its whole mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._sets import (
    distinct,
    firm,
    from_probabilities,
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

FEWEST, MOST = 24, 200  # queries
ROOM = 1.5  # queries for each object of the fullest image: some have to lose


@REPRESENTATIONS.register
class Queries(Overlapping):
    """A fixed number of queries, each with a mask or none.

    Queries begin at voxels that are sure of their object, and look at the network's
    features of every resolution and at each other; in training the best one-to-one
    match of queries and objects says which has to answer with which, so that none has
    to be suppressed [1]_ [2]_. Two objects may share any voxels.

    The outputs are a map for each query; one that stands for no object is empty.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    queries : int
        How many there are: no patch gives more objects.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps: a loss is
        given the objects so.
    features : int
        Channels that the network gives the queries.
    blocks : int
        Rounds in which they look at features and at each other.
    scale : float
        Voxels that a distance of 1 is, for the network: about half an object.
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
    .. [1] Cheng et al., "Masked-attention mask transformer for universal image
       segmentation", CVPR 2022. arXiv:2112.01527
    .. [2] IAUNet: instance-aware U-Net, 2025. arXiv:2508.01928
    """

    def __init__(
        self,
        axes: int,
        queries: int = 50,
        layers: int = 2,
        features: int = 16,
        blocks: int = 1,
        scale: float = 10.0,
        sure: float = 0.6,
        inside: float = 0.5,
        same: float = 0.6,
        least: int = 4,
    ) -> None:
        super().__init__(axes)
        self.queries, self.layers, self.features = queries, layers, features
        self.blocks = blocks
        self.scale = scale
        self.sure, self.inside, self.same, self.least = sure, inside, same, least
        self.most = queries

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        objects = measured["objects_per_image"]["p100"]
        return {
            "queries": int(np.clip(np.ceil(ROOM * objects), FEWEST, MOST)),
            "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
            "layers": max(2, int(measured.get("layers", 1))),
            "least": int(measured["least_voxels"]),
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        reader = Choice(
            name="queries",
            options={
                "queries": self.queries,
                "blocks": self.blocks,
                "scale": self.scale,
            },
        )
        return (
            Head(
                name="queries",
                channels=self.queries,
                activation="sigmoid",
                loss=Choice(name="set_matching", options={}),
                mirrors=(None,) * self.axes,
                reader=reader,
                features=self.features,
            ),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        return {"queries": held(labels, self.axes, self.layers)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.queries, *layers.shape[1:]), np.float32)
        found = sorted(masks_in(layers), key=lambda one: -one[1].size)
        for number, (_, mask) in enumerate(found[: self.queries]):
            output[number][mask.box] = mask.inside
        return {"queries": output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        found = []
        for output in outputs["queries"]:
            mask = from_probabilities(output, self.inside)
            if mask is not None and firm(output, mask) >= self.sure:
                found.append((mask, firm(output, mask)))
        return distinct(found, self.same)
