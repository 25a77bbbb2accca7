"""Objects that may overlap, a map of probabilities for each: from maps to masks.

Legend: S spatial shape, Q maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.base import (
    Ids,
    Overlapping,
    held,
    layers_of,
    masks_in,
)
from autoseg.representations.maps import largest_piece
from autoseg.spec.arrays.overlaps import Mask

Array = NDArray[Any]

FEWEST, MOST = 24, 200  # maps
ROOM = 1.5  # maps for each object of the fullest image: some have to lose


class MapForEach(Overlapping):
    """What has a map for each object, or an empty one: the head of that name.

    Parameters
    ----------
    axes : int
        Number of spatial axes.
    maps : str
        The head.
    count : int
        Q: no patch gives more objects.
    layers : int
        Maps that it takes to hold all objects of a case without overlaps: a loss is
        given the objects so.
    scale : float
        Voxels that a distance of 1 is, for the network: about half of an object.
    sure : float
        Mean probability of a mask from which on it is an object.
    inside : float
        From which on a voxel is in it.
    same : float
        IoU over which the less sure of two is taken for the other one again.
    least : int
        Voxels of the smallest object.
    """

    def __init__(
        self,
        axes: int,
        maps: str,
        count: int,
        layers: int,
        scale: float,
        sure: float,
        inside: float,
        same: float,
        least: int,
    ) -> None:
        super().__init__(axes)
        self._maps, self.most = maps, count
        self.layers, self.scale = layers, scale
        self.sure, self.inside, self.same, self.least = sure, inside, same, least

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = held(labels, self.axes, self.layers)
        return {head.name: layers for head in self.heads}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        layers = layers_of(labels, self.axes)
        output = np.zeros((self.most or 0, *layers.shape[1:]), np.float32)
        found = sorted(masks_in(layers), key=lambda one: -one[1].size)
        for number, (_, mask) in enumerate(found[: self.most]):
            output[number][mask.box] = mask.inside
        return {self._maps: output}

    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        found = []
        for output in outputs[self._maps]:
            mask = from_probabilities(output, self.inside)
            score = 0.0 if mask is None else firm(output, mask)
            if mask is not None and score >= self.sure:
                found.append((mask, score))
        return distinct(found, self.same)


def maps_for(measured: Mapping[str, Any]) -> int:
    """Return how many maps the objects of the fullest image need."""
    return int(
        np.clip(np.ceil(ROOM * measured["objects_per_image"]["p100"]), FEWEST, MOST)
    )


def options_for(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what representations of objects that overlap derive from a data set."""
    return {
        "scale": round(max(1.0, float(np.mean(measured["voxels_along"])) / 2), 2),
        "layers": max(2, int(measured.get("layers", 1))),
        "least": int(measured["least_voxels"]),
    }


def from_probabilities(output: Array, inside: float) -> Mask | None:
    """Return where a map (*S) is over a threshold, the largest piece, in its box.

    Parameters
    ----------
    output : ndarray of float, shape S
        How likely each voxel is in the object.
    inside : float
        From which on it is; None: no voxel is.
    """
    there = output >= inside
    if not there.any():
        return None
    box = []
    for axis in range(there.ndim):
        others = tuple(other for other in range(there.ndim) if other != axis)
        ends = np.flatnonzero(there.any(axis=others))
        box.append(slice(int(ends[0]), int(ends[-1]) + 1))
    start = tuple(part.start for part in box)
    return largest_piece(Mask(start, there[tuple(box)]))


def firm(output: Array, mask: Mask) -> float:
    """Return the mean probability (*S) inside a mask: how firmly it is one."""
    return float(np.clip(output[mask.box][mask.inside].mean(), 0, 1))


def distinct(
    found: Sequence[tuple[Mask, float]], same: float, within: float = 1.0
) -> list[tuple[Mask, float]]:
    """Return masks, the surest first, without those that are another one again.

    Parameters
    ----------
    found : sequence of (Mask, float)
        Masks, and how sure each of them is.
    same : float
        IoU over which two of them are one object.
    within : float
        Share of a mask over which it is a part of a surer one, and no object.
    """
    kept: list[tuple[Mask, float]] = []
    sizes: list[int] = []
    for mask, score in sorted(found, key=lambda one: -one[1]):
        size = mask.size
        others = zip(kept, sizes, strict=True)
        if not any(
            _is_same(mask, size, one[0], own, same, within) for one, own in others
        ):
            kept.append((mask, score))
            sizes.append(size)
    return kept


def _is_same(
    mask: Mask, size: int, other: Mask, its: int, same: float, within: float
) -> bool:
    most = min(size, its)
    if most <= same * max(size, its) and most <= within * size:
        return False  # wherever they are
    both = mask.shared(other)
    return both > 0 and (both > same * (size + its - both) or both > within * size)
