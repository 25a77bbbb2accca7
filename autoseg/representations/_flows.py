"""Directions that lead from each voxel of an instance to its middle, and back.

Legend: S spatial shape, D axes, M voxels inside of instances, N instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations._maps import Ids, boxes, shifted, steps

Array = NDArray[Any]

LOOKS = 8  # places looked at on the straight way to the middle
LEAST_STRAIGHT = (
    0.98  # share of voxels that see the middle, of a plainly shaped instance
)
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
    place = np.stack(np.unravel_index(inside, labels.shape), axis=1)
    size = np.maximum(np.bincount(owner, minlength=count), 1)
    center = np.stack(
        [np.bincount(owner, weights=axis, minlength=count) / size for axis in place.T],
        axis=1,
    )
    away = np.linalg.norm((place - center[owner]) * np.asarray(spacing), axis=1)
    cost = away - deep.ravel()[inside]
    order = np.lexsort((cost, owner))
    _, first = np.unique(owner[order], return_index=True)
    found: Array = place[order[first]]
    return found


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
    middle = middles(labels, count, deep, spacing)
    inside = np.flatnonzero(labels)
    owner = labels.ravel()[inside] - 1
    place = np.stack(np.unravel_index(inside, labels.shape), axis=1).astype(np.int32)
    way = (middle[owner] - place).astype(np.float32)
    bent = np.flatnonzero(
        _hidden(labels, place, way, owner, count) > 1 - LEAST_STRAIGHT
    )
    way *= edges
    near = np.maximum(NEAR * deep[tuple(middle.T)], 1.5 * float(edges.min())).astype(
        np.float32
    )
    length = np.sqrt(np.einsum("md,md->m", way, way))
    way /= np.maximum(length, near[owner])[:, None]
    result[:, inside] = way.T
    result = result.reshape(-1, *labels.shape)
    if len(bent):
        found = boxes(labels)
        for number in bent:
            _around_corners(
                labels, int(number), found[number], middle, near, deep, edges, result
            )
    return result


def _hidden(
    labels: Ids, place: Array, way: Array, owner: Array, count: int
) -> NDArray[np.float64]:
    """Return the share of each instance's voxels from which its middle is not seen."""
    blocked = np.zeros(len(place), bool)
    flat = labels.ravel()
    strides = np.array(
        [int(np.prod(labels.shape[a + 1 :])) for a in range(labels.ndim)]
    )
    for share in np.arange(1, LOOKS) / LOOKS:
        on_the_way = place + np.rint(share * way).astype(np.int32)
        blocked |= flat[on_the_way @ strides] != owner + 1
    size = np.maximum(np.bincount(owner, minlength=count), 1)
    return np.bincount(owner, weights=blocked, minlength=count) / size


def _around_corners(
    labels: Ids,
    number: int,
    box: tuple[slice, ...],
    middle: Array,
    near: Array,
    deep: Array,
    edges: Array,
    result: Array,
) -> None:
    """Write the directions of one instance, downhill along the ways inside of it.

    Ways keep off the border, where it costs more to go: one that hugs a wall would
    leave the instance with the smallest error.
    """
    from skimage.graph import MCP_Geometric

    mask = labels[box] == number + 1
    start = tuple(
        int(m) - part.start for m, part in zip(middle[number], box, strict=True)
    )
    own = np.where(mask, deep[box], 1.0)
    costs = np.where(mask, 0.5 + 0.5 * own[start] / np.maximum(own, 1e-6), -1.0)
    ways = MCP_Geometric(costs, sampling=tuple(float(e) for e in edges))
    length, _ = ways.find_costs([start])
    reached = np.isfinite(length) & mask
    length = np.where(reached, length, np.inf)
    downhill = np.zeros((mask.ndim, *mask.shape))
    for step in steps(mask.ndim):
        walk = step * edges
        far = float(np.linalg.norm(walk))
        other = shifted(length, step, np.inf)
        with np.errstate(invalid="ignore"):
            gain = np.where(reached & np.isfinite(other), length - other, 0.0) / far
        share = np.sign(gain) * gain**2 / far
        for axis in range(mask.ndim):
            downhill[axis] += share * walk[axis]
    size = np.sqrt((downhill**2).sum(0))
    fade = np.minimum(1.0, np.where(reached, length, 0.0) / near[number])
    unit = downhill / np.maximum(size, 1e-9) * fade
    target = result[(slice(None), *box)]
    target[:, reached] = unit[:, reached].astype(np.float32)


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

    shape = np.array(foreground.shape)
    strides = np.array([int(np.prod(shape[a + 1 :])) for a in range(len(shape))])
    edges = np.asarray(spacing, np.float32)
    step = float(edges.min())
    inside = np.flatnonzero(foreground)
    # One step of each voxel, in voxels; the background does not move.
    move = np.ascontiguousarray(
        (flow.reshape(len(shape), -1)[:, inside] * (step / edges)[:, None]).T
    )
    row = np.full(foreground.size, -1, np.int64)
    row[inside] = np.arange(len(inside))
    start = np.stack(np.unravel_index(inside, foreground.shape), axis=1).astype("f4")
    if len(inside) < foreground.size:  # who steps off goes on from beside
        nearest = ndimage.distance_transform_edt(
            ~foreground,
            sampling=tuple(spacing),
            return_distances=False,
            return_indices=True,
        )
        row = row[np.tensordot(strides, nearest, 1).ravel()]
    way = move.copy()
    for _ in range(max(1, int(np.ceil(np.log2(max(2.0, reach / step)))))):
        there = np.rint(start + way).astype(np.int64)
        np.clip(there, 0, shape - 1, out=there)
        way = way + way[row[there @ strides]]
    ends = start + way
    np.clip(ends, 0, shape - 1, out=ends)
    return inside, ends
