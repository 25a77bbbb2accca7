"""Star-convex shapes: how far it is to the border, in all directions.

Legend: R rays, S spatial shape, D axes, M voxels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import Ids
from autoseg.spec.arrays.polar import directions
from autoseg.spec.head import Mirrored

Array = NDArray[Any]
SLACK = 1e-5  # of a mean of lengths, for what is rounded


def rays(count: int, axes: int) -> NDArray[np.float32]:
    """Return unit vectors (R, D), evenly spread: a circle, or a golden spiral."""
    if axes == 2:
        return directions(count)
    height = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    wide = np.sqrt(1 - height**2)
    spread = [height, wide * np.sin(angle), wide * np.cos(angle)]
    return np.stack(spread, axis=1).astype(np.float32)


def mirrored_rays(count: int, axes: int, axis: int) -> Mirrored | None:
    """Return which ray a mirror along an axis makes of each; None if no other one.

    Examples
    --------
    >>> mirrored_rays(4, 2, 0).sources  # right, down, left, up
    (0, 3, 2, 1)
    >>> mirrored_rays(64, 3, 0) is None
    True
    """
    directions = rays(count, axes)
    mirrored = directions.copy()
    mirrored[:, axis] *= -1
    apart = np.linalg.norm(directions[None] - mirrored[:, None], axis=2)
    nearest = apart.argmin(1)
    if apart.min(1).max() > 1e-3:
        return None
    return Mirrored(tuple(nearest.tolist()), (1.0,) * count)


def ray_lengths(
    labels: Ids,
    deep: Array,
    directions: Array,
    spacing: Sequence[float],
    longest: float,
) -> NDArray[np.float32]:
    """Return how far each voxel's instance reaches along rays, (R, *S).

    Where nothing else is near, a step is as long as the distance to what is nearest.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Ids.
    deep : ndarray of float32, shape S
        See `depth`.
    directions : ndarray of float, shape (R, D)
        Unit vectors.
    spacing : sequence of float, length D
        Edge of a voxel.
    longest : float
        Where to stop.

    Returns
    -------
    ndarray of float32, shape (R, *S)
        In units of length, to half a voxel; 0 in the background. Where a ray leaves the
        array, the instance ends.
    """
    # What lies beyond the array is a rim of another instance.
    wide = tuple(size + 2 for size in labels.shape)
    ids, free = np.full(wide, -1, np.int32), np.zeros(wide, np.float32)
    core = (slice(1, -1),) * labels.ndim
    step = np.float32(min(spacing) / 2)
    ids[core], free[core] = labels, np.maximum(deep - np.float32(max(spacing)), step)
    flat, room = ids.ravel(), free.ravel()
    inside = np.flatnonzero(labels.ravel() > 0)
    place = [
        (part + 1).astype(np.float32) for part in np.unravel_index(inside, labels.shape)
    ]
    own = labels.ravel()[inside]
    first = room[np.flatnonzero(flat > 0)]
    result = np.zeros((len(directions), labels.size), np.float32)
    for number, direction in enumerate(directions):
        walk = (direction / np.asarray(spacing)).astype(np.float32)
        going, length = np.arange(len(inside)), first.copy()
        at, mine, far = place, own, first
        while len(going):
            index = np.zeros(len(going), np.int32)
            for part, stride, size in zip(at, walk, wide, strict=True):
                there = part + far * stride
                np.rint(there, out=there)
                np.clip(there, 0, size - 1, out=there)
                index *= size
                index += there.astype(np.int32)
            ok = flat[index] == mine
            ok &= far < longest
            ended = ~ok
            length[going[ended]] = far[ended] - step / 2
            going, mine, index = going[ok], mine[ok], index[ok]
            at = [part[ok] for part in at]
            far = far[ok] + room[index]
        result[number, inside] = np.minimum(length, longest)
    return result.reshape(-1, *labels.shape)


def paint(
    center: Array,
    lengths: Array,
    directions: Array,
    spacing: Sequence[float],
    shape: Any,
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """Return the voxels of a star: a box, and where inside of it.

    Between rays, the border is interpolated: in a plane along the angle, in a volume
    among the three nearest rays.
    """
    edges = np.asarray(spacing)
    reach = np.ceil(float(lengths.max(initial=0)) / edges).astype(int) + 1
    low = np.maximum(np.floor(center).astype(int) - reach, 0)
    high = np.minimum(np.ceil(center).astype(int) + reach + 1, shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    grids = np.meshgrid(
        *[np.arange(a, b) for a, b in zip(low, high, strict=True)], indexing="ij"
    )
    way = np.stack(
        [(g - c) * e for g, c, e in zip(grids, center, edges, strict=True)], axis=-1
    )
    away = np.linalg.norm(way, axis=-1)
    if len(shape) == 2:
        turn = np.arctan2(way[..., 0], way[..., 1]) / (2 * np.pi) * len(lengths)
        turn %= len(lengths)
        below = np.floor(turn).astype(int) % len(lengths)
        share = turn - np.floor(turn)
        border = lengths[below] * (1 - share)
        border += lengths[(below + 1) % len(lengths)] * share
        return box, away <= border
    # A border is no nearer than the shortest ray, and no farther than the longest.
    inside = away < lengths.min() * (1 - SLACK)
    unsure = ~inside & (away <= lengths.max() * (1 + SLACK))
    far = away[unsure]
    inside[unsure] = far <= _border(way[unsure], far, lengths, directions)
    return box, inside


def _border(way: Array, away: Array, lengths: Array, directions: Array) -> Array:
    """Return how far it is to the border of a volume on the way (M, D) to voxels."""
    cosine = (way / np.maximum(away, 1e-6)[:, None]) @ directions.T
    nearest = np.argpartition(-cosine, 3, axis=-1)[:, :3]
    weight = 1 / (1.0001 - np.take_along_axis(cosine, nearest, axis=-1))
    border: Array = (lengths[nearest] * weight).sum(-1) / weight.sum(-1)
    return border
