"""Objects that any of their own voxels tells of: what single-shot masks share.

A voxel that belongs to one object alone says how sure it is, where the sides of the
object's box are, and what the mask in that box is. Voxels that several objects share
say nothing: each of these has others.

Legend: S spatial shape, D axes, N voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoseg.representations._sets import distinct
from autoseg.representations.maps import largest_piece
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

Array = NDArray[Any]

SURE = 8.0  # the logit of a voxel that is as sure as can be
BETA, VOTES, FEATURES = 0.1, 8, 16  # as plans have them; docs/why/0008
MARGIN = 0.1  # of a box, on each side, that is looked at beyond it
MOST_ASKED = 2000  # voxels of a window, the surest
HALF = 0.5  # probability from which on a voxel is inside
NEAR = 0.15  # of an object's extent: how far off ends are that voxels agree on
WITHIN = 0.6  # share of a mask that makes it a part of a surer one


def owners(layers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the object at each voxel (*S) of layers (L, *S); 0: none, or several."""
    there = (layers > 0).sum(0)
    owner: NDArray[np.int32] = np.where(there == 1, np.maximum(layers, 0).sum(0), 0)
    return owner.astype(np.int32)


def sides(mask: Mask, places: Sequence[Array]) -> NDArray[np.float32]:
    """Return how far voxels are from the sides of a mask's box, (2 D, N), in voxels.

    Parameters
    ----------
    mask : Mask
        Of an object.
    places : sequence of ndarray of int, length D
        Some of its voxels.
    """
    found = []
    for at, part in zip(places, mask.box, strict=True):
        found += [at - part.start + 0.5, part.stop - at - 0.5]
    return np.stack(found).astype(np.float32)


def box_of(at: Array, far: Array, shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the box that voxels tell of, as far as the array goes.

    Parameters
    ----------
    at : ndarray of int, shape (K, D)
        The voxels.
    far : ndarray of float, shape (2 D, K)
        See `sides`.
    shape : sequence of int, length D
        S.
    """
    box = []
    far = np.maximum(far, 0.5)
    for axis, size in enumerate(shape):
        place = at[:, axis]
        low = float(np.median(place + 0.5 - far[2 * axis]))
        high = float(np.median(place + 0.5 + far[2 * axis + 1]))
        first = min(max(0, round(low)), int(place.max()))
        last = min(max(int(place.min()) + 1, round(high)), size)
        box.append(slice(first, max(first + 1, last)))
    return tuple(box)


def widened(box: Sequence[slice], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return a box with a margin, as far as the array goes."""
    found = []
    for part, size in zip(box, shape, strict=True):
        by = max(1, round(MARGIN * (part.stop - part.start)))
        found.append(slice(max(0, part.start - by), min(size, part.stop + by)))
    return tuple(found)


class Tells(NamedTuple):
    """What voxels (K, D) tell of their object.

    Parameters
    ----------
    draw : callable
        Gives where the object's box begins, and a map of probabilities in it.
    ends : callable
        Gives numbers for each of the voxels, (K, ...), by which those of one object
        know each other: where its ends are, in voxels.
    votes : int
        Voxels of an object, evenly spread, that are asked together.
    """

    draw: Callable[[Array], tuple[tuple[int, ...], Array]]
    ends: Callable[[Array], Array]
    votes: int


def drawn(
    sure: Array, least: float, same: float, tells: Tells
) -> list[tuple[Mask, float]]:
    """Return the objects that voxels tell of, the surest voxel first.

    Parameters
    ----------
    sure : ndarray of float, shape S
        How sure each voxel is, 0 to 1.
    least : float
        From which on a voxel is asked.
    same : float
        See `distinct`.
    tells : Tells
        What voxels tell. What has been drawn asks no more. A voxel that is not in the
        mask that it tells of does not know its object.
    """
    seeds = np.flatnonzero(sure >= least)
    order = seeds[np.argsort(-sure.ravel()[seeds], kind="stable")]
    asked = np.zeros(sure.shape, bool)
    flat = asked.reshape(-1)
    found = []
    count = 0
    for at in order.tolist():
        if flat[at]:
            continue
        place = np.array(np.unravel_index(at, sure.shape))
        count += 1
        if count > MOST_ASKED:
            break
        flat[at] = True
        seen = _told(tells.draw, place[None])
        if seen is None or not seen[0].has(tuple(place.tolist())):
            continue
        if tells.votes > 1:
            seen = _voted(tells, place, seen[0], sure, least) or seen
        mask, how = seen
        asked[mask.box] |= mask.inside
        found.append((mask, float(sure.flat[at]) * how))
    return distinct(found, same, WITHIN)


def _told(draw: Any, places: Array) -> tuple[Mask, float] | None:
    """Return the mask that voxels tell of, and how firm it is; None if it is empty."""
    start, likely = draw(places)
    inside = likely >= HALF
    if not inside.any():
        return None
    how = float(np.clip(likely[inside].mean(), 0, 1))
    return largest_piece(Mask(start, inside)), how


def _voted(
    tells: Tells, seed: Array, mask: Mask, sure: Array, least: float
) -> tuple[Mask, float] | None:
    """Return what voxels of a mask tell together that tell of nearly the same ends."""
    votes = tells.votes
    there = np.argwhere(mask.inside & (sure[mask.box] >= least)) + mask.start
    some = there[(2 * np.arange(votes) + 1) * len(there) // (2 * votes)]
    away = np.abs(tells.ends(some) - tells.ends(seed[None])).mean(1)
    alike = some[away <= NEAR * max(mask.inside.shape)]
    return _told(tells.draw, alike) if len(alike) else None


def corners(at: Array, far: Array) -> Array:
    """Return the corners (K, 2 D) of the boxes that voxels tell of; see `box_of`."""
    middles = np.repeat(at.T + 0.5, 2, axis=0)
    signs = np.tile([-1.0, 1.0], at.shape[1])[:, None]
    found: Array = (middles + signs * far).T
    return found


def telling(head: Head, features: int, told: int, maps: int = 0) -> Head:
    """Return a head whose voxels are told of by coarser levels, too.

    Parameters
    ----------
    head : Head
        How sure voxels are, what they tell, and maps.
    features : int
        Channels that the network gives for it; 0: the head as it is.
    told, maps : int
        How many numbers and maps there are.
    """
    if not features:
        return head
    reader = Choice(name="tellers", options={"told": told, "maps": maps})
    return replace(head, reader=reader, features=features)


def sigmoid(x: Array) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)), float32."""
    found: NDArray[np.float32] = 1 / (1 + np.exp(-np.clip(x, -30, 30)))
    return found.astype(np.float32)
