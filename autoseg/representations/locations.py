"""Locations: cells of a grid, each with the mask of the object that it lies in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._sets import MapForEach, maps_for, options_for
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head


@REPRESENTATIONS.register
class Locations(MapForEach):
    """The surest cells of a grid, each with a mask.

    A cell's mask is made by a kernel of its own [1]_. It tells of the object that has
    its middle voxel alone, not of one whose center is near: objects that cross have
    their centers in the same cell, but arms in others. Several cells tell of one
    object; those whose masks are nearly the same are one.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    locations : int
        Cells that are asked, the surest: no patch gives more objects.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps: a loss is
        given the objects so.
    features : int
        Channels that the network gives the cells.
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
    .. [1] Wang et al., "SOLOv2: dynamic and fast instance segmentation", NeurIPS 2020.
       arXiv:2003.10152
    """

    def __init__(
        self,
        axes: int,
        locations: int = 50,
        layers: int = 2,
        features: int = 16,
        scale: float = 10.0,
        sure: float = 0.6,
        inside: float = 0.5,
        same: float = 0.6,
        least: int = 4,
    ) -> None:
        super().__init__(
            axes, "locations", locations, layers, scale, sure, inside, same, least
        )
        self.locations, self.features = locations, features

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {"locations": maps_for(measured), **options_for(measured)}

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {"locations": self.locations, "scale": self.scale}
        return (
            Head(
                name="locations",
                channels=self.locations,
                activation="sigmoid",
                loss=Choice(name="located_masks", options={}),
                mirrors=(None,) * self.axes,
                reader=Choice(name="locations", options=options),
                features=self.features,
            ),
        )
