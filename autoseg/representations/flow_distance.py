"""Flow and distance: each voxel points to the middle of its instance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._base import Array, Ids, Representation
from autoseg.representations._flows import directions, follow
from autoseg.representations._maps import (
    depth,
    in_order,
    largest_pieces,
    mean_inside,
    numbered,
    sizes,
    touching,
    without,
)
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head, Mirrored


@REPRESENTATIONS.register
class FlowDistance(Representation):
    """Directions to the middle, foreground, and normalized distance to the border.

    Voxels of the foreground follow the directions; those that end at one place are
    one instance. The distance is 1 in the middle and falls to 0 towards the border, and
    is 0 where another instance is touched; it says whether two places are two middles
    or one.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    reach : float
        Length of the longest way to a middle, in units of length.
    foreground : float
        Probability from which on a voxel belongs to an instance.
    seed : int
        Voxels that have to end at a place to make it a middle.
    join : float
        Two places are one middle if the distance between them stays above this share
        of that at the lower one.
    agree : float
        Instances whose voxels point to their middle less than this, on average, are
        dropped: 1 is exactly, -1 is away from it.
    least : int
        Voxels of the smallest instance.

    References
    ----------
    .. [1] Stringer et al., "Cellpose: a generalist algorithm for cellular
       segmentation", Nature Methods 18, 2021. doi:10.1038/s41592-020-01018-x
    .. [2] Cutler et al., "Omnipose: a high-precision morphology-independent solution
       for bacterial cell segmentation", Nature Methods 19, 2022.
       doi:10.1038/s41592-022-01639-4
    """

    tunable = {
        "foreground": (0.3, 0.4, 0.5, 0.6, 0.7),
        "join": (0.6, 0.7, 0.8, 0.9, 2.0),
        "agree": (-1.0, 0.3, 0.5, 0.7),
        "least": (1, 10, 20, 40, 80),
        "seed": (2, 5, 10, 20),
    }
    filters = {"least": 1, "agree": -1.0}

    def __init__(
        self,
        axes: int,
        reach: float = 64.0,
        foreground: float = 0.5,
        seed: int = 3,
        join: float = 0.85,
        agree: float = 0.0,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.reach, self.foreground, self.seed = reach, foreground, seed
        self.join, self.agree, self.least = join, agree, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "reach": round(1.2 * measured["extent"]["p100"], 3),
            "least": measured["least_voxels"],
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        label = Choice(name="dice_bce", options={"regions": [[1]]})
        flow = Choice(name="flow", options={})
        distance = Choice(name="distance", options={})
        return (
            Head(name="foreground", channels=1, activation="sigmoid", loss=label),
            Head(
                name="flow",
                channels=self.axes,
                activation="identity",
                loss=flow,
                mirrors=tuple(_mirrored(axis, self.axes) for axis in range(self.axes)),
            ),
            Head(name="distance", channels=1, activation="identity", loss=distance),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        labels, count = numbered(labels)
        deep = depth(labels, spacing)
        deepest = np.zeros(count + 1, np.float32)
        np.maximum.at(deepest, labels.ravel(), deep.ravel())
        deepest[0] = 1
        return {
            "foreground": (labels > 0).astype(np.int16),
            "flow": directions(labels, count, deep, spacing),
            "distance": np.where(touching(labels), 0, deep / deepest[labels])[None],
        }

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        targets = self.targets(labels, spacing)
        return targets | {"foreground": targets["foreground"][None].astype(np.float32)}

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        sure, flow = outputs["foreground"][0], outputs["flow"]
        distance = outputs["distance"][0]
        foreground = sure >= max(self.foreground, 1e-6)
        labels = np.zeros(sure.shape, np.int32)
        if not foreground.any():
            return labels, {}
        inside, ends = follow(flow, foreground, spacing, self.reach)
        ends = _settle(ends, flow, spacing)
        middles, owner = _places(ends, flow, self.seed)
        if not len(middles):
            return labels, {}
        labels.ravel()[inside] = owner + 1
        labels = _reassigned(np.maximum(labels, 0), foreground)
        labels = _join(labels, middles, distance, self.join)
        labels = _connected(labels)
        labels = without(labels, sizes(labels) < self.least)
        labels, _ = in_order(labels)
        if self.agree > -1:
            agreement = _agreement(labels, flow, spacing)
            labels, _ = in_order(without(labels, agreement < self.agree))
        score = mean_inside(labels, sure)
        return labels, {i: float(score[i]) for i in range(1, len(score))}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        agreement = _agreement(labels, outputs["flow"], spacing)
        return {"least": sizes(labels), "agree": agreement}


def _mirrored(axis: int, axes: int) -> Mirrored:
    """Return what a mirror does to vectors: it turns their part along its axis."""
    signs = tuple(-1.0 if a == axis else 1.0 for a in range(axes))
    return Mirrored(tuple(range(axes)), signs)


LEAST_HEIGHT = 0.3  # places lower than this are not joined
STILL = 0.8  # flow shorter than this is that of a middle
SETTLING = 2  # exact steps at the end of the way


def _settle(ends: Array, flow: Array, spacing: Sequence[float]) -> Array:
    """Walk on from the ends of ways, interpolating, until they meet."""
    from scipy import ndimage

    step = min(spacing) / np.asarray(spacing, np.float32)
    ends = ends.copy()
    limit = np.array(flow.shape[1:]) - 1
    for _ in range(SETTLING):
        for axis, component in enumerate(flow):
            moved = ndimage.map_coordinates(component, ends.T, order=1, mode="nearest")
            ends[:, axis] += moved * step[axis]
        np.clip(ends, 0, limit, out=ends)
    return ends


def _places(ends: Array, flow: Array, least: int) -> tuple[Array, Array]:
    """Return the middles (N, D): places where ways end, and the one of each way or -1.

    A place where the flow goes on is none: ways were lost there.
    """
    from scipy import ndimage

    shape = flow.shape[1:]
    at = tuple(np.rint(ends).astype(np.int64).T)
    counts = np.zeros(shape, np.int32)
    np.add.at(counts, at, 1)
    whole = ndimage.generate_binary_structure(len(shape), len(shape))
    pieces, count = ndimage.label(counts, whole)
    piece = pieces[at]
    votes = np.maximum(np.bincount(piece, minlength=count + 1), 1)
    speed = np.sqrt((flow[(slice(None), *at)] ** 2).sum(0))
    speed = np.bincount(piece, weights=speed, minlength=count + 1) / votes
    keep = (votes >= least) & (speed < STILL)
    keep[0] = False
    owner = np.where(keep, np.cumsum(keep) - 1, -1)[piece]
    found = owner >= 0
    total = np.bincount(owner[found], minlength=int(keep.sum()))
    sums = [np.bincount(owner[found], weights=axis[found]) for axis in ends.T]
    return np.stack(sums, axis=1) / np.maximum(total, 1)[:, None], owner


def _join(labels: Ids, middles: Array, distance: Array, share: float) -> Ids:
    """Make neighbors one if the distance does not fall between their middles."""
    from scipy import ndimage
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = _neighbors(labels) - 1
    if not len(pairs) or share > 1:
        return labels
    ways = np.linspace(0, 1, 9)[:, None, None]
    places = middles[pairs[:, 0]] * (1 - ways) + middles[pairs[:, 1]] * ways
    heights = ndimage.map_coordinates(
        distance, places.reshape(-1, labels.ndim).T, order=1, mode="nearest"
    ).reshape(len(ways), -1)
    lower = np.minimum(heights[0], heights[-1])
    same = pairs[heights.min(0) >= share * np.maximum(lower, LEAST_HEIGHT)]
    graph = coo_array(
        (np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(middles),) * 2
    )
    _, group = connected_components(graph, directed=False)
    return np.concatenate([[0], group + 1]).astype(np.int32)[labels]


def _neighbors(labels: Ids) -> Array:
    """Return the pairs of ids that touch, (P, 2), the smaller first."""
    found = []
    for axis in range(labels.ndim):
        one = np.moveaxis(labels, axis, 0)
        low, high = one[:-1].ravel(), one[1:].ravel()
        touch = (low != high) & (low > 0) & (high > 0)
        found.append(np.stack([low[touch], high[touch]], axis=1))
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def _connected(labels: Ids) -> Ids:
    """Keep the largest piece of each instance; give the others to a neighbor."""
    stray = (labels > 0) & ~largest_pieces(labels)
    return _reassigned(np.where(stray, 0, labels), labels > 0)


def _reassigned(labels: Ids, foreground: Array) -> Ids:
    """Give foreground without id to the instance that it touches, step by step."""
    from skimage.segmentation import watershed

    if not (foreground & (labels == 0)).any():
        return labels
    level = np.zeros(labels.shape, np.uint8)
    result: Ids = watershed(level, labels, mask=foreground).astype(np.int32)
    return result


def _agreement(labels: Ids, flow: Array, spacing: Sequence[float]) -> Array:
    """Return how well the flow of each instance points to its middle, by id."""
    labels, count = numbered(labels)
    wanted = directions(labels, count, depth(labels, spacing), spacing)
    sizes_ = np.sqrt((flow**2).sum(0)) * np.sqrt((wanted**2).sum(0))
    cosine = (flow * wanted).sum(0) / np.maximum(sizes_, 1e-6)
    agreement = mean_inside(labels, cosine)
    agreement[0] = math.inf
    return agreement
