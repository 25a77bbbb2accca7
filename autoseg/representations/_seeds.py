"""Objects that any of their own voxels tells of: what single-shot masks share.

A voxel that belongs to one object alone says how sure it is, where the sides of the
object's box are, and what the mask in that box is. Voxels that several objects share
say nothing: each of these has others.

Legend: S spatial shape, D axes, N voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations._sets import distinct
from autoseg.representations.maps import largest_piece
from autoseg.spec.arrays.overlaps import Mask

Array = NDArray[Any]

SURE = 8.0  # the logit of a voxel that is as sure as can be
MARGIN = 0.1  # of a box, on each side, that is looked at beyond it
MOST_ASKED = 2000  # voxels of a window, the surest
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


def box_of(at: Sequence[int], far: Array, shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the box that a voxel tells of, as far as the array goes.

    Parameters
    ----------
    at : sequence of int, length D
        The voxel.
    far : ndarray of float, shape (2 D,)
        See `sides`.
    shape : sequence of int, length D
        S.
    """
    box = []
    far = np.maximum(far, 0.5)
    for axis, (place, size) in enumerate(zip(at, shape, strict=True)):
        low, high = far[2 * axis : 2 * axis + 2]
        first = min(max(0, round(place + 0.5 - low)), place)
        last = min(max(place + 1, round(place + 0.5 + high)), size)
        box.append(slice(first, last))
    return tuple(box)


def widened(box: Sequence[slice], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return a box with a margin, as far as the array goes."""
    found = []
    for part, size in zip(box, shape, strict=True):
        by = max(1, round(MARGIN * (part.stop - part.start)))
        found.append(slice(max(0, part.start - by), min(size, part.stop + by)))
    return tuple(found)


def drawn(
    sure: Array,
    least: float,
    same: float,
    draw: Callable[[tuple[int, ...]], tuple[tuple[int, ...], Array]],
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
    draw : callable
        From a voxel to where its object's box begins, and a map of probabilities in
        it. What has been drawn asks no more. A voxel that is not in the mask that it
        tells of does not know its object.
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
        place = tuple(int(i) for i in np.unravel_index(at, sure.shape))
        count += 1
        if count > MOST_ASKED:
            break
        start, likely = draw(place)
        inside = likely >= 0.5
        asked[place] = True
        if not inside.any():
            continue
        mask = largest_piece(Mask(start, inside))
        if not mask.has(place):
            continue
        asked[mask.box] |= mask.inside
        how = float(np.clip(likely[inside].mean(), 0, 1))
        found.append((mask, float(sure[place]) * how))
    return distinct(found, same, WITHIN)


def sigmoid(x: Array) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)), float32."""
    found: NDArray[np.float32] = 1 / (1 + np.exp(-np.clip(x, -30, 30)))
    return found.astype(np.float32)
