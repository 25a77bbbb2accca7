"""Queries: each asks for one object and is answered with its whole mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._sets import MapForEach, maps_for, options_for
from autoseg.representations.base import SITUATIONS
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

INSIDE, SURE = 0.3, 0.5  # as plans have them; docs/why/0008


@REPRESENTATIONS.register
class Queries(MapForEach):
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
    fine : bool
        Voxels learn what they tell in the finest resolution, and of masks a voxel
        inside counts as one outside.
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

    # Next to `prototypes`; it also holds objects that others cover: docs/why/0008.
    order: ClassVar[Mapping[str, int]] = dict.fromkeys(SITUATIONS, 1)

    def __init__(
        self,
        axes: int,
        queries: int = 50,
        layers: int = 2,
        features: int = 16,
        blocks: int = 1,
        scale: float = 10.0,
        fine: bool = False,
        sure: float = 0.6,
        inside: float = 0.5,
        same: float = 0.6,
        least: int = 4,
    ) -> None:
        super().__init__(
            axes, "queries", queries, layers, scale, sure, inside, same, least
        )
        self.queries, self.features, self.blocks = queries, features, blocks
        self.fine = fine

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        own = {
            "queries": maps_for(measured),
            "fine": True,
            "inside": INSIDE,
            "sure": SURE,
        }
        return {**own, **options_for(measured)}

    @property
    def heads(self) -> tuple[Head, ...]:
        options: dict[str, Any] = {
            "queries": self.queries,
            "blocks": self.blocks,
            "scale": self.scale,
        }
        loss = {}
        if self.fine:
            options["fine"] = loss["even"] = True
        return (
            Head(
                name="queries",
                channels=self.queries,
                activation="sigmoid",
                loss=Choice(name="set_matching", options=loss),
                mirrors=(None,) * self.axes,
                reader=Choice(name="queries", options=options),
                features=self.features,
            ),
        )
