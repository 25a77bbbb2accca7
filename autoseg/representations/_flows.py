"""Directions that lead from each voxel of an instance to its middle, and back.

Legend: S spatial shape, D axes, M voxels inside of instances, N instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import Ids, boxes, steps

Array = NDArray[Any]

LOOKS = 8  # places looked at on the straight way to the middle
LEAST_STRAIGHT = (
    0.98  # share of voxels that see the middle, of a plainly shaped instance
)
DEEP = 2.0  # what depth counts for, against the distance to the center of mass
NEAR = 0.5  # the way's length over which a direction fades, in depths of the middle


def middles(labels: Ids, count: int, deep: Array, spacing: Sequence[float]) -> Array:
    """Return the middle of each instance: deep inside, and near its center of mass.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Ids from 1 to ``count``.
    count : int
        N.
    deep : ndarray of float32, shape S
        See `depth`.
    spacing : sequence of float, length D
        Edge of a voxel.

    Returns
    -------
    ndarray of int, shape (N, D)
        Indices.
    """
    inside = np.flatnonzero(labels)
    owner = labels.ravel()[inside] - 1
    return _middles(inside, owner, labels.shape, count, deep, spacing)


def _middles(
    inside: Array,
    owner: Array,
    shape: tuple[int, ...],
    count: int,
    deep: Array,
    spacing: Sequence[float],
) -> Array:
    size = np.maximum(np.bincount(owner, minlength=count), 1)
    square = np.zeros(len(inside))
    for axis, edge in zip(np.unravel_index(inside, shape), spacing, strict=True):
        center = np.bincount(owner, weights=axis, minlength=count) / size
        square += ((axis - center[owner]) * edge) ** 2
    # A step inwards from a center of mass outside gains as much depth as it goes away.
    # If both counted the same, the middle might lie on the border, beside the next.
    cost = np.sqrt(square) - DEEP * deep.ravel()[inside]
    least = np.full(count, np.inf)
    np.minimum.at(least, owner, cost)
    best = np.flatnonzero(cost == least[owner])[::-1]
    first = np.zeros(count, np.int64)
    first[owner[best]] = inside[best]  # of equals, the first is written last
    return np.stack(np.unravel_index(first, shape), axis=1)


def directions(
    labels: Ids, count: int, deep: Array, spacing: Sequence[float]
) -> NDArray[np.float32]:
    """Return the way to the middle of its instance at each voxel.

    It is straight where the middle is seen from (nearly) everywhere in the instance,
    and leads around corners, inside of the instance, where it is not. Its length is 1,
    falling to 0 near the middle, so that a step along it ends there.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Ids from 1 to ``count``.
    count : int
        N.
    deep : ndarray of float32, shape S
        See `depth`.
    spacing : sequence of float, length D
        Edge of a voxel.

    Returns
    -------
    ndarray of float32, shape (D, *S)
        In units of length; 0 in the background.
    """
    result = np.zeros((labels.ndim, labels.size), np.float32)
    if not count:
        return result.reshape(-1, *labels.shape)
    edges = np.asarray(spacing, np.float32)
    inside = np.flatnonzero(labels)
    owner = labels.ravel()[inside] - 1
    middle = _middles(inside, owner, labels.shape, count, deep, spacing)
    place = [p.astype(np.float32) for p in np.unravel_index(inside, labels.shape)]
    way = [
        m.astype(np.float32)[owner] - p for m, p in zip(middle.T, place, strict=True)
    ]
    hidden = _hidden(labels, place, way, owner, count)
    bent = np.flatnonzero(hidden > 1 - LEAST_STRAIGHT)
    near = np.maximum(NEAR * deep[tuple(middle.T)], 1.5 * float(edges.min())).astype(
        np.float32
    )
    square = np.zeros(len(inside), np.float32)
    for part, edge in zip(way, edges, strict=True):
        part *= edge
        square += part * part
    length = np.maximum(np.sqrt(square), near[owner])
    for axis, part in enumerate(way):
        result[axis, inside] = part / length
    result = result.reshape(-1, *labels.shape)
    if len(bent):
        _around_corners(labels, bent, middle, near, deep, edges, result)
    return result


def _hidden(
    labels: Ids,
    place: Sequence[Array],
    way: Sequence[Array],
    owner: Array,
    count: int,
) -> NDArray[np.float64]:
    """Return the share of each instance's voxels from which its middle is not seen."""
    blocked = np.zeros(len(owner), bool)
    flat, own = labels.ravel(), owner + 1
    for share in np.arange(1, LOOKS, dtype=np.float32) / LOOKS:
        at = np.zeros(len(owner), np.int64)
        for start, part, size in zip(place, way, labels.shape, strict=True):
            at *= size
            at += np.rint(start + share * part).astype(np.int64)
        blocked |= flat[at] != own
    size = np.maximum(np.bincount(owner, minlength=count), 1)
    return np.bincount(owner, weights=blocked, minlength=count) / size


def _around_corners(
    labels: Ids,
    bent: Array,
    middle: Array,
    near: Array,
    deep: Array,
    edges: Array,
    result: Array,
) -> None:
    """Write the directions of bent instances: downhill along ways inside of them."""
    wide = tuple(size + 2 for size in labels.shape)
    length = np.full(wide, np.inf, np.float32)
    owner = np.zeros(wide, np.int32)
    room = (slice(1, -1),) * labels.ndim
    found = boxes(labels)
    for number in bent.tolist():
        box = found[number]
        mask = labels[box] == number + 1
        start = tuple(
            int(m) - part.start for m, part in zip(middle[number], box, strict=True)
        )
        ways = _lengths(mask, start, deep[box], edges)
        reached = np.isfinite(ways) & mask
        length[room][box][reached] = ways[reached]
        owner[room][box][reached] = number + 1
    places = np.flatnonzero(owner)
    flat, of = length.ravel(), owner.ravel()
    here, own = flat[places], of[places]
    downhill = np.zeros((labels.ndim, len(places)), np.float32)
    for step in steps(labels.ndim):
        walk = step * edges
        far = float(np.linalg.norm(walk))
        there = (
            places
            + int(np.ravel_multi_index(tuple(step + 1), wide))
            - int(np.ravel_multi_index((1,) * labels.ndim, wide))
        )
        same = of[there] == own
        gain = np.where(same, here - np.where(same, flat[there], 0), 0) / far
        share = np.sign(gain) * gain**2 / far
        for axis in np.flatnonzero(step):
            downhill[axis] += share * walk[axis]
    size = np.sqrt((downhill**2).sum(0))
    fade = np.minimum(1, here / near[own - 1]) / np.maximum(size, 1e-9)
    at: list[Any] = [index - 1 for index in np.unravel_index(places, wide)]
    result[(slice(None), *at)] = downhill * fade


def _lengths(
    mask: NDArray[np.bool_], start: tuple[int, ...], deep: Array, edges: Array
) -> Array:
    """Return the length of the shortest way inside of an instance to its middle.

    Ways keep off the border, where it costs more to go: one that hugs a wall would
    leave the instance with the smallest error.
    """
    from skimage.graph import MCP_Geometric

    own = np.where(mask, deep, 1.0)
    costs = np.where(mask, 0.5 + 0.5 * own[start] / np.maximum(own, 1e-6), -1.0)
    ways = MCP_Geometric(costs, sampling=tuple(float(e) for e in edges))
    length: Array = ways.find_costs([start])[0]
    return length


def follow(
    flow: Array, foreground: NDArray[np.bool_], spacing: Sequence[float], reach: float
) -> tuple[Array, Array]:
    """Return where each foreground voxel ends if it follows the flow.

    Ways are put together from halves: where 2 n steps lead is where n steps lead from
    where n steps lead. Steps then bring all of them onto the spot.

    Parameters
    ----------
    flow : ndarray of float32, shape (D, *S)
        Directions in units of length, no longer than about 1.
    foreground : ndarray of bool, shape S
        Where to start.
    spacing : sequence of float, length D
        Edge of a voxel.
    reach : float
        Length of the longest way, in units of length.

    Returns
    -------
    inside : ndarray of int, shape (M,)
        Linear indices of the foreground.
    ends : ndarray of float32, shape (M, D)
        Places in voxels.
    """
    from scipy import ndimage

    shape = foreground.shape
    edges = np.asarray(spacing, np.float32)
    step = float(edges.min())
    inside = np.flatnonzero(foreground)
    start = [p.astype(np.float32) for p in np.unravel_index(inside, shape)]
    # One step of each voxel, in voxels; the background does not move.
    way = [
        part.ravel()[inside] * (step / edge)
        for part, edge in zip(flow, edges, strict=True)
    ]
    row = np.zeros(foreground.size, np.int64)
    row[inside] = np.arange(len(inside))
    if len(inside) < foreground.size:  # who steps off goes on from beside
        nearest = ndimage.distance_transform_edt(
            ~foreground,
            sampling=tuple(spacing),
            return_distances=False,
            return_indices=True,
        )
        row = row[np.ravel_multi_index(tuple(nearest), shape).ravel()]
    for _ in range(max(1, int(np.ceil(np.log2(max(2.0, reach / step)))))):
        there = np.zeros(len(inside), np.int64)
        for place, part, size in zip(start, way, shape, strict=True):
            at = np.rint(place + part).astype(np.int64)
            np.clip(at, 0, size - 1, out=at)
            there *= size
            there += at
        there = row[there]
        way = [part + part[there] for part in way]
    ends = np.stack([p + w for p, w in zip(start, way, strict=True)], axis=1)
    np.clip(ends, 0, np.array(shape) - 1, out=ends)
    return inside, ends
