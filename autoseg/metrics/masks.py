"""Objects that overlap: what each shares with each, from whole masks.

The table is that of `contingency.py`, and everything that compares instances is
computed from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import Contingency
from autoseg.spec.arrays.overlaps import Mask

Array = NDArray[Any]

LEAST_SHARED = 0.05  # of an object: less is where outlines were drawn a little wide


def shared_masks(
    predicted: Mapping[int, Mask],
    reference: Mapping[int, Mask],
    ignored: NDArray[np.bool_] | None = None,
) -> Contingency:
    """Count the voxels of all objects and of all pairs that overlap.

    Parameters
    ----------
    predicted, reference : mapping of int to Mask
        Objects by id.
    ignored : ndarray of bool, shape S, optional
        Voxels that nobody annotated. They belong to no object, and an object with more
        than half of its voxels there is left out, as in `count_shared`.

    Returns
    -------
    Contingency
        The table.
    """
    left, right = (_known(masks, ignored) for masks in (predicted, reference))
    ones, others = list(left.values()), list(right.values())
    rows, columns, shared = [], [], []
    for row, column in overlapping_boxes(ones, others):
        both = ones[row].shared(others[column])
        if both:
            rows.append(row)
            columns.append(column)
            shared.append(both)
    return Contingency(
        predicted=np.array(list(left), np.int64),
        reference=np.array(list(right), np.int64),
        predicted_sizes=np.array([m.size for m in left.values()], np.int64),
        reference_sizes=np.array([m.size for m in right.values()], np.int64),
        rows=np.array(rows, np.int64),
        columns=np.array(columns, np.int64),
        shared=np.array(shared, np.int64),
        disjoint=False,
    )


def overlapping_boxes(one: Sequence[Mask], other: Sequence[Mask]) -> NDArray[np.int64]:
    """Return which boxes of two lists have a voxel in common.

    Returns
    -------
    ndarray of int64, shape (N, 2)
        Positions in the lists, in their order.
    """
    if not one or not other:
        return np.zeros((0, 2), np.int64)
    low, high = _edges(one)
    first, last = _edges(other)
    order = np.argsort(first[:, 0], kind="stable")
    starts = first[order, 0]
    longest = int((last[:, 0] - first[:, 0]).max())
    found = []
    for place in range(len(one)):
        # Along the first axis by bisection, so that few boxes are looked at.
        near = order[
            np.searchsorted(starts, low[place, 0] - longest) : np.searchsorted(
                starts, high[place, 0]
            )
        ]
        meets = (first[near] < high[place]) & (last[near] > low[place])
        hits = np.sort(near[meets.all(1)])
        found.append(np.column_stack([np.full(len(hits), place), hits]))
    return np.concatenate(found).astype(np.int64)


def overlapping_ids(masks: Mapping[int, Mask]) -> list[int]:
    """Return which objects share more than `LEAST_SHARED` of their voxels with others.

    Parameters
    ----------
    masks : mapping of int to Mask
        All objects of one side.
    """
    ids, every = list(masks), list(masks.values())
    covered = [np.zeros(mask.inside.shape, bool) for mask in every]
    for one, other in overlapping_boxes(every, every):
        both = every[one].common(every[other].box)
        if one != other and both is not None:
            part = every[one].cut(both) & every[other].cut(both)
            Mask(every[one].start, covered[one]).cut(both)[...] |= part
    return [
        i
        for i, mask, shared in zip(ids, every, covered, strict=True)
        if np.count_nonzero(shared) > LEAST_SHARED * mask.size
    ]


def covered_dice(predicted: Sequence[Mask], reference: Sequence[Mask]) -> float:
    """Return the Dice of the voxels in any object of two sides; 1: there are none."""
    sides = [_cover(masks) for masks in (predicted, reference)]
    if sides[0] is None or sides[1] is None:
        return 1.0 if sides[0] is sides[1] else 0.0
    one, other = sides[0], sides[1]
    return 2 * one.shared(other) / (one.size + other.size)


def _cover(masks: Sequence[Mask]) -> Mask | None:
    """Return the voxels in any of some masks; None: there are none."""
    if not masks:
        return None
    low, high = _edges(masks)
    start = low.min(0)
    whole = Mask(tuple(start.tolist()), np.zeros(high.max(0) - start, bool))
    for mask in masks:
        whole.cut(mask.box)[...] |= mask.inside
    return whole


def masks_at_border(masks: Mapping[int, Mask], shape: Sequence[int]) -> list[int]:
    """Return which objects touch an outer face of an array of a shape.

    An axis with one voxel has no faces.
    """
    return [
        i
        for i, mask in masks.items()
        if any(
            size > 1 and (part.start == 0 or part.stop == size)
            for part, size in zip(mask.box, shape, strict=True)
        )
    ]


def _edges(masks: Sequence[Mask]) -> tuple[Array, Array]:
    low = np.array([mask.start for mask in masks])
    return low, low + np.array([mask.inside.shape for mask in masks])


def _known(
    masks: Mapping[int, Mask], ignored: NDArray[np.bool_] | None
) -> dict[int, Mask]:
    """Return objects, by ascending id, without what nobody annotated."""
    found = {}
    for i in sorted(masks):
        mask = masks[i]
        if ignored is not None:
            seen = mask.inside & ~ignored[mask.box]
            if 2 * np.count_nonzero(seen) < mask.size:
                continue
            mask = Mask(mask.start, seen)
        found[i] = mask
    return found
