"""Embedding: the voxels of an instance point at one spot, each instance at its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations._flows import middles
from autoseg.representations.base import LAST, Array, Ids, Representation
from autoseg.representations.maps import (
    connected,
    filled,
    in_order,
    mean_inside,
    numbered,
    sizes,
    without,
)
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head, Mirrored

MOST_SHARP = 8.0  # bounds of the logarithm of the precision, as in the loss


@REPRESENTATIONS.register
class Embedding(Representation):
    """Offsets, a precision and a seed, trained by metric learning, and the foreground.

    A voxel's place plus its offset is its embedding. From the surest seed on, the
    embeddings around that of the seed, up to where ``exp(-precision distance^2)`` is a
    half, are one instance. They point at its voxel nearest to its center of mass, as
    exactly as it takes to tell it from others.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    edges : sequence of float, length D or more, optional
        Edge of a voxel along each axis in radii of the median object: the unit of
        offsets. With more than D, the last ones count. 0.1 by default.
    foreground : float
        Probability from which on a voxel belongs to an instance.
    seed : float
        Seed map from which on a voxel may be one, 0 to 1.
    votes : int
        Voxels that have to point to the center of an instance.
    least : int
        Voxels of the smallest instance.

    References
    ----------
    .. [1] Neven et al., "Instance segmentation by jointly optimizing spatial embeddings
       and clustering bandwidth", CVPR 2019. arXiv:1906.11109
    .. [2] Lalit et al., "EmbedSeg: embedding-based instance segmentation for biomedical
       microscopy data", Medical Image Analysis 81, 2022.
       doi:10.1016/j.media.2022.102523
    """

    order = LAST
    tunable = {
        "foreground": (0.3, 0.4, 0.5, 0.6, 0.7),
        "seed": (0.3, 0.5, 0.7, 0.9),
        "least": (1, 10, 20, 40, 80),
    }
    filters = {"least": 1}

    def __init__(
        self,
        axes: int,
        edges: Sequence[float] | None = None,
        foreground: float = 0.5,
        seed: float = 0.5,
        votes: int = 3,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.edges = tuple((0.1,) * axes if edges is None else edges)[-axes:]
        self.foreground, self.seed = foreground, seed
        self.votes, self.least = votes, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        radius = max(measured["diameter"]["p50"] / 2, 1e-3)
        return {
            "edges": [round(edge / radius, 5) for edge in measured["spacing"]],
            "votes": measured["least_voxels"],
            "least": measured["least_voxels"],
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        label = Choice(name="dice_bce", options={"regions": [[1]]})
        metric = Choice(name="embedding", options={"edges": list(self.edges)})
        return (
            Head(name="foreground", channels=1, activation="sigmoid", loss=label),
            Head(
                name="embedding",
                channels=self.axes + 2,
                activation="identity",
                loss=metric,
                mirrors=tuple(_mirrored(a, self.axes) for a in range(self.axes)),
            ),
        )

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        """Return foreground and ids, int16 and int32 (*S)."""
        return {
            "foreground": (labels > 0).astype(np.int16),
            "embedding": np.maximum(labels, 0),
        }

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        labels, count = numbered(labels)
        maps = np.zeros((self.axes + 2, *labels.shape), np.float32)
        # Two middles are a voxel apart or more: half of one tells them from each other.
        half = min(self.edges) / 2
        maps[-2] = min(MOST_SHARP, float(np.log(np.log(2) / half**2)))
        if count:
            inside = np.nonzero(labels)
            owner = labels[inside] - 1
            flat = np.zeros(labels.shape, np.float32)
            middle = middles(labels, count, flat, self.edges)
            for axis, edge in enumerate(self.edges):
                maps[axis][inside] = (middle[owner, axis] - inside[axis]) * edge
        maps[-1] = labels > 0
        return {
            "foreground": (labels > 0)[None].astype(np.float32),
            "embedding": maps,
        }

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        sure, maps = outputs["foreground"][0], outputs["embedding"]
        foreground = sure >= max(self.foreground, 1e-6)
        labels = np.zeros(sure.shape, np.int32)
        inside = np.flatnonzero(foreground)
        place = np.unravel_index(inside, sure.shape)
        embedded = np.stack(
            [
                p * edge + offset.ravel()[inside]
                for p, edge, offset in zip(place, self.edges, maps, strict=False)
            ],
            axis=1,
        )
        sharp = np.clip(maps[-2].ravel()[inside], -MOST_SHARP, MOST_SHARP)
        labels.ravel()[inside] = _clustered(
            embedded, sharp, maps[-1].ravel()[inside], self.seed, self.votes
        )
        labels = connected(filled(labels, foreground))
        labels, _ = in_order(without(labels, sizes(labels) < self.least))
        score = np.clip(mean_inside(labels, sure), 0, 1)
        return labels, {i: float(score[i]) for i in range(1, len(score))}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        return {"least": sizes(labels)}


def _mirrored(axis: int, axes: int) -> Mirrored:
    """Return what a mirror does: it turns the offset along its axis."""
    signs = tuple(-1.0 if c == axis else 1.0 for c in range(axes + 2))
    return Mirrored(tuple(range(axes + 2)), signs)


def _clustered(
    embedded: Array, sharp: Array, seeds: Array, least_seed: float, votes: int
) -> Array:
    """Return the number of the instance of each voxel (M,), from 1 on; 0: of none.

    Parameters
    ----------
    embedded : ndarray of float, shape (M, D)
        Where voxels point to.
    sharp : ndarray of float, shape (M,)
        Logarithms of precisions.
    seeds : ndarray of float, shape (M,)
        How good a center each is.
    least_seed : float
        Of a center.
    votes : int
        Voxels that have to point to a center.
    """
    from scipy.spatial import cKDTree

    owner = np.zeros(len(seeds), np.int32)
    if not len(seeds):
        return owner
    tree = cKDTree(embedded, balanced_tree=False)
    tried = np.zeros(len(seeds), bool)
    count = 0
    order = np.argsort(-seeds, kind="stable")
    for at in order[: int((seeds >= least_seed).sum())].tolist():
        if tried[at]:
            continue
        tried[at] = True
        near = _around(tree, embedded[at], sharp[at])
        near = near[owner[near] == 0]
        # A seed is not exactly in the middle: those around it know better.
        near = _around(tree, embedded[near].mean(0), sharp[near].mean())
        free = near[owner[near] == 0]
        if len(free) < votes or 2 * len(free) <= len(near):
            continue  # a crumb, or mostly another's
        count += 1
        owner[free] = count
        tried[free] = True
    return owner


def _around(tree: Any, center: Array, sharp: float) -> Array:
    """Return the indices of what is as near as a membership of a half says."""
    radius = float(np.sqrt(np.log(2) / np.exp(sharp)))
    return np.array(tree.query_ball_point(center, radius * (1 + 1e-6)), np.int64)
