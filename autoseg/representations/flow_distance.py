"""Flow and distance: each voxel points to the middle of its instance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._flows import directions, follow
from autoseg.representations.base import Array, Ids, Representation
from autoseg.representations.maps import (
    connected,
    depth,
    filled,
    in_order,
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
        Two places are middles of one instance if the distance, where their voxels
        meet, reaches this share of what it is at most around the lower one.
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

    order = {"apart": 1, "crowded": 1, "touching": 0}
    tunable = {
        "foreground": (0.3, 0.4, 0.5, 0.6, 0.7),
        "join": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 2.0),
        "agree": (-1.0, 0.3, 0.5, 0.7),
        "least": (1, 10, 20, 40, 80),
        "seed": (2, 5, 10, 20, 40),
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
        sure, given = outputs["foreground"][0], outputs["flow"]
        distance = outputs["distance"][0]
        foreground = sure >= max(self.foreground, 1e-6)
        labels = np.zeros(sure.shape, np.int32)
        if not foreground.any():
            return labels, {}
        flow = _kept_inside(given, distance, spacing)
        inside, ends = follow(flow, foreground, spacing, self.reach)
        owner = _places(_settle(ends, flow, spacing), flow, spacing, self.seed)
        labels.ravel()[inside] = owner
        labels = _joined(filled(labels, foreground), distance, self.join)
        labels = connected(labels)
        labels, _ = in_order(without(labels, sizes(labels) < self.least))
        if self.agree > -1:
            agreement = _agreement(labels, given, spacing)
            labels, _ = in_order(without(labels, agreement < self.agree))
        score = np.clip(mean_inside(labels, sure), 0, 1)
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


LEAST_HEIGHT = 0.1  # peaks lower than this count as this high
THICK = 2.0  # spacing of slices through that in the plane
MOST_THICK = 4.0  # ... up to which the distance says where the inside is
STILL = 0.8  # flow shorter than this is that of a middle
PUSH = 0.5  # away from the border of an instance, in steps, where the distance is 0
SLOPE = 0.05  # of the distance in a voxel, below which it has no direction
SETTLING = 2  # exact steps at the end of the way


def _kept_inside(flow: Array, distance: Array, spacing: Sequence[float]) -> Array:
    """Return the flow with a push up the distance, the stronger the nearer the border.

    A network's flow along a border is not exact, and a way that once went over into
    the next instance ends there. Where objects have a slice or two, the distance is 0
    in whole slices, and nothing is up.
    """
    edges = np.asarray(spacing, np.float32) / min(spacing)
    if edges.max() > MOST_THICK:
        return flow
    slopes = [
        slope / edge for slope, edge in zip(np.gradient(distance), edges, strict=True)
    ]
    steep = np.sqrt(sum(slope * slope for slope in slopes)) + SLOPE
    steep = PUSH * np.clip(1 - distance, 0, 1) / steep
    pushed: Array = np.stack(
        [f + slope * steep for f, slope in zip(flow, slopes, strict=True)]
    )
    return pushed.astype(np.float32, copy=False)


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


def _places(ends: Array, flow: Array, spacing: Sequence[float], least: int) -> Array:
    """Return the number of the middle where each way ends, from 1 on; 0: nowhere.

    A place where the flow goes on is none: ways were lost there. Neither is one where
    few ways end. Places in slices that are far apart are two: middles of instances that
    lie on each other may be as near as that.
    """
    from scipy import ndimage

    shape = flow.shape[1:]
    at = np.ravel_multi_index(
        tuple(np.rint(axis).astype(np.int64) for axis in ends.T), shape
    )
    counts = np.bincount(at, minlength=int(np.prod(shape)))
    linked = np.ones((3,) * len(shape), bool)
    for axis in np.flatnonzero(np.asarray(spacing) >= THICK * min(spacing)):
        np.moveaxis(linked, axis, 0)[[0, 2]] = False
    pieces, count = ndimage.label(counts.reshape(shape), linked)
    piece = pieces.ravel()[at]
    votes = np.bincount(piece, minlength=count + 1)
    square = np.zeros(len(at))
    for axis in flow:
        square += axis.ravel()[at] ** 2
    speed = np.bincount(piece, weights=np.sqrt(square), minlength=count + 1)
    keep = (votes >= least) & (speed < STILL * np.maximum(votes, 1))
    keep[0] = False
    owner: Array = np.where(keep, np.cumsum(keep), 0)[piece]
    return owner


def _joined(labels: Ids, distance: Array, share: float) -> Ids:
    """Put together what is one object: by the distance where pieces of it meet.

    From the highest pass between two neighbors on, they become one if the pass is not
    much lower than the lower one of their peaks. What is left of an object beside the
    border to another one thus goes to its own, over the higher pass, before the two
    objects are compared.
    """
    first, second, passes = _passes(labels, distance)
    if not len(first) or share > 1:
        return labels
    count = int(labels.max())
    peaks = np.full(count + 1, LEAST_HEIGHT)
    # Of one type: numpy takes ten times as long to convert them on the way.
    np.maximum.at(peaks, labels.ravel(), distance.ravel().astype(peaks.dtype))
    height, group = peaks.tolist(), list(range(count + 1))

    def root(i: int) -> int:
        while group[i] != i:
            group[i] = group[group[i]]
            i = group[i]
        return i

    for edge in np.argsort(-passes, kind="stable").tolist():
        a, b = root(int(first[edge])), root(int(second[edge]))
        if a != b and passes[edge] >= share * min(height[a], height[b]):
            group[max(a, b)] = min(a, b)
            height[min(a, b)] = max(height[a], height[b])
    return np.array([root(i) for i in range(count + 1)], np.int32)[labels]


def _passes(labels: Ids, distance: Array) -> tuple[Array, Array, Array]:
    """Return pairs of ids that touch, and the largest distance where they do."""
    low, high, height = [], [], []
    for axis in range(labels.ndim):
        one, deep = np.moveaxis(labels, axis, 0), np.moveaxis(distance, axis, 0)
        touch = (one[:-1] != one[1:]) & (one[:-1] > 0) & (one[1:] > 0)
        low.append(np.minimum(one[:-1][touch], one[1:][touch]))
        high.append(np.maximum(one[:-1][touch], one[1:][touch]))
        height.append(np.minimum(deep[:-1][touch], deep[1:][touch]))
    key = np.concatenate(low).astype(np.int64) << 32 | np.concatenate(high)
    pairs, index = np.unique(key, return_inverse=True)
    passes = np.full(len(pairs), -np.inf)
    np.maximum.at(passes, index, np.concatenate(height).astype(passes.dtype))
    return pairs >> 32, pairs & 0xFFFFFFFF, passes


def _agreement(labels: Ids, flow: Array, spacing: Sequence[float]) -> Array:
    """Return how well the flow of each instance points to its middle, by id."""
    labels, count = numbered(labels)
    wanted = directions(labels, count, depth(labels, spacing), spacing)
    sizes_ = np.sqrt((flow**2).sum(0)) * np.sqrt((wanted**2).sum(0))
    cosine = (flow * wanted).sum(0) / np.maximum(sizes_, 1e-6)
    agreement = mean_inside(labels, cosine)
    agreement[0] = math.inf
    return agreement
