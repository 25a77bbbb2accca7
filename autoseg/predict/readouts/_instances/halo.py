"""A block of an image with as much around it as the instances that it owns need.

Letters: S spatial shape, D its length, C channels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.instances import Instances, as_instances

Array = NDArray[Any]
Box = tuple[slice, ...]
Outputs = Mapping[str, Array]


def cores(shape: Sequence[int], block: Sequence[int]) -> Iterator[Box]:
    """Yield the blocks that an array is cut into."""
    for starts in itertools.product(
        *(range(0, size, edge) for size, edge in zip(shape, block, strict=True))
    ):
        yield tuple(
            slice(start, min(size, start + edge))
            for start, size, edge in zip(starts, shape, block, strict=True)
        )


def decode_complete(
    decode: Callable[[Outputs], Any],
    outputs: Callable[[Box], Outputs],
    shape: Sequence[int],
    core: Box,
    halo: Sequence[int],
    margin: int,
    one_segment: Collection[int],
    most: float,
    presence: Callable[[Outputs], Array | None],
) -> tuple[Box, Instances, list[int], set[int]]:
    """Decode a block with as much around it as what it owns needs.

    Returns the box, the instances in it, the ids of those that the block owns, and of
    those among them that would need more than ``most`` voxels.
    """
    reach = [[max(edge, 2 * margin)] * 2 for edge in halo]

    def around() -> Box:
        return tuple(
            slice(max(0, part.start - low), min(size, part.stop + high))
            for part, (low, high), size in zip(core, reach, shape, strict=True)
        )

    while True:
        box = around()
        values = outputs(box)
        found = as_instances(decode(values))
        segments = set(of_classes(found, one_segment))
        owned = [i for i in _owned(found.labels, box, core) if i not in segments]
        around_owned = [*owned, *(set(_neighbors(found.labels, owned)) - segments)]
        cut = _cut(found.labels, around_owned, box, shape, margin)
        dropped = _dropped(found.labels, presence(values), box, core)
        cut = sorted({*cut, *_cut(dropped, [1], box, shape, 1)})
        if not cut:
            return box, found, owned, set()
        for axis, side in cut:
            reach[axis][side] *= 2
        if math.prod(part.stop - part.start for part in around()) > most:
            return box, found, owned, _near_end(found.labels, owned, cut, margin)


def _owned(labels: Array, box: Box, core: Box) -> list[int]:
    """Return the ids whose first voxel lies in the core, in the order of those."""
    ids, first = np.unique(labels, return_index=True)
    order = np.argsort(first)
    ids, first = ids[order], first[order]
    inside = ids > 0
    for place, part, whole in zip(
        np.unravel_index(first, labels.shape), core, box, strict=True
    ):
        at = place + whole.start
        inside &= (at >= part.start) & (at < part.stop)
    return [int(i) for i in ids[inside]]


def _cut(
    labels: Array, owned: Sequence[int], box: Box, shape: Sequence[int], margin: int
) -> list[tuple[int, int]]:
    """Return the sides, axis and end, where an owned instance may go on."""
    sides = []
    for axis, (part, size) in enumerate(zip(box, shape, strict=True)):
        for end, goes_on in enumerate((part.start > 0, part.stop < size)):
            if not goes_on:
                continue
            if np.isin(_layer(labels, axis, end, margin), owned).any():
                sides.append((axis, end))
    return sides


def _neighbors(labels: Array, owned: Sequence[int]) -> list[int]:
    """Return the ids of those that have a face in common with an owned instance."""
    found: set[int] = set()
    for axis in range(labels.ndim):
        moved = np.moveaxis(labels, axis, 0)
        low, high = moved[:-1], moved[1:]
        touch = (low != high) & (low > 0) & (high > 0)
        pairs = np.unique(np.stack([low[touch], high[touch]]), axis=1)
        mine = np.isin(pairs, owned)
        found |= set(pairs[:, mine.any(axis=0)].ravel().tolist())
    return sorted(found.difference(owned))


def _dropped(labels: Array, present: Array | None, box: Box, core: Box) -> Array:
    """Return 1 where pieces without id are that reach into the core, else 0."""
    from scipy import ndimage

    if present is None:
        return np.zeros((1,) * labels.ndim, np.int8)
    full = np.ones((3,) * labels.ndim)
    pieces, count = ndimage.label(np.asarray(present) & (labels == 0), full)
    inside = tuple(
        slice(part.start - whole.start, part.stop - whole.start)
        for part, whole in zip(core, box, strict=True)
    )
    here = np.zeros(count + 1, np.int8)
    here[np.unique(pieces[inside])] = 1
    here[0] = 0
    result: Array = here[pieces]
    return result


def _near_end(
    labels: Array, owned: Sequence[int], sides: Sequence[tuple[int, int]], margin: int
) -> set[int]:
    """Return the owned instances that come near to the given sides."""
    there = [np.unique(_layer(labels, *side, margin)) for side in sides]
    return set(owned) & set(np.concatenate(there).tolist())


def _layer(labels: Array, axis: int, end: int, margin: int) -> Array:
    rows = slice(0, margin) if end == 0 else slice(-margin, None)
    return labels[(slice(None),) * axis + (rows,)]


def of_classes(seen: Instances, kinds: Collection[int]) -> list[int]:
    """Return the ids of some classes."""
    return [i for i, kind in seen.classes.items() if kind in kinds]
