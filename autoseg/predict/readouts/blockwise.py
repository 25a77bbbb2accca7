"""Decode instances of an image that is too large for it, block by block.

Each block is decoded with a halo around it, and keeps the instances that it owns: those
whose first voxel, in the order of the array, lies in the block. An instance has one
first voxel, so it is kept once; whether it is complete shows in the halo::

    +-----------------+
    |  halo           |     a, b: owned by the block. b touches the end of the halo, so
    |   +-------+     |     there may be more of it: the halo grows on that side, and
    |   | a   b-|-----|     the block is decoded again.
    |   |       | c   |     c: begins elsewhere; its own block keeps it.
    |   +-------+     |
    +-----------------+

That an instance which is cut cannot deceive: what is seen of it may begin in the block
only if it also reaches the end of the halo. Two things more make a halo grow: a
neighbor of an owned instance that is cut, for where both meet depends on both; and a
decoder may drop what it sees half of, so whatever is present, is no instance, and
reaches from the block to the end of the halo counts as cut, too.

An instance that does not fit in what may be decoded at once is a giant: it is put
together of what one block after the other sees of it, where they overlap.

Letters: S spatial shape, D its length, C channels.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import in_rows, let_go
from autoseg.spec.instances import Instances, as_instances

logger = logging.getLogger(__name__)

Array = NDArray[Any]
Box = tuple[slice, ...]
Outputs = Mapping[str, Array]

PIECE = 2**22  # voxels that are renumbered at a time


def decode_blocks(
    decode: Callable[[Outputs], Any],
    outputs: Callable[[Box], Outputs],
    shape: Sequence[int],
    block: Sequence[int],
    halo: Sequence[int],
    *,
    margin: int = 1,
    labels: Any = None,
    one_segment: Collection[int] = (),
    most: float = math.inf,
    presence: Callable[[Outputs], Array | None] = lambda outputs: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Instances:
    """Decode an image block by block, as if it were decoded at once.

    The result is the same if the decoder, for an instance that stays ``margin`` voxels
    away from the end of what it is given, does not care what lies beyond. Where it
    does, an object that two blocks claim is that of the first.

    Parameters
    ----------
    decode : callable
        From outputs, each (C, *s), to the `Instances`, or their map (*s).
    outputs : callable
        From a box in the image to the outputs there.
    shape : sequence of int, length D
        S.
    block : sequence of int, length D
        Edges of a block without halo.
    halo : sequence of int, length D
        Around each block, to begin with. As wide as most instances, no block has to be
        decoded twice.
    margin : int
        An owned instance that comes as near to the end of the halo, where the image
        goes on, is decoded again with more around it. At least 1.
    labels : array of int32, shape S, optional
        Zeros to write ids into, such as a memory map; anything that takes slices.
    one_segment : collection of int
        Classes of which an image has one segment, however many pieces it has. They
        belong to no block; each block keeps the voxels that it has of them.
    most : float
        Voxels that may be decoded at once. An instance that needs more of them around
        it is put together of pieces, with a warning: there may be a seam.
    presence : callable
        From outputs to bool (*s): where an instance is, decoded or not. None if the
        decoder drops nothing that is cut.
    progress : callable
        Told blocks done and blocks in all.

    Returns
    -------
    Instances
        Ids are 1, 2, 3, ... in the order of their first voxels.
    """
    if labels is None:
        labels = np.zeros(tuple(shape), dtype=np.int32)
    found = _Found()
    cores = list(_cores(shape, block))
    for done, core in enumerate(cores):
        box, seen, owned, giants = _decode_complete(
            decode,
            outputs,
            shape,
            core,
            halo,
            max(1, margin),
            one_segment,
            most,
            presence,
        )
        here = np.array(labels[box])
        inside = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(core, box, strict=True)
        )
        found.go_on(seen, owned, here, inside)
        found.add(seen, owned, here, giants)
        found.add_segments(seen, here, inside, one_segment)
        labels[box] = here
        let_go(labels)
        progress(done + 1, len(cores))
    if found.giants:
        logger.warning(
            "%d objects are larger than the %.3g voxels that are decoded at once and "
            "were put together of pieces; there may be seams, or several ids in one. "
            "More --max-memory allows more at once.",
            len(found.giants),
            most,
        )
    return number_in_order(found.instances(labels))


class _Found:
    """What blocks have brought so far, numbered as it came."""

    def __init__(self) -> None:
        self.count = 0
        self.classes: dict[int, int] = {}
        self.scores: dict[int, float] = {}
        self.segments: dict[int, int] = {}  # ids by class
        self.voxels: dict[int, int] = {}  # of segments, by id
        self.giants: set[int] = set()

    def go_on(
        self, seen: Instances, owned: Sequence[int], here: Array, inside: Box
    ) -> None:
        """Write what a block sees of giants that began elsewhere."""
        if not self.giants:
            return
        known = np.where(np.isin(here, list(self.giants)), here, 0)
        both = (known > 0) & (seen.labels > 0)
        if not both.any():
            return
        pairs, counts = np.unique(
            np.stack([seen.labels[both], known[both]]), axis=1, return_counts=True
        )
        largest = dict(pairs[:, np.argsort(counts)].T.tolist())  # the last one stays
        for instance, giant in largest.items():
            if instance not in owned:
                part = here[inside]
                part[(seen.labels[inside] == instance) & (part == 0)] = giant

    def add(
        self,
        seen: Instances,
        owned: Sequence[int],
        here: Array,
        giants: Collection[int],
    ) -> None:
        """Write the instances that a block owns into the map of its box."""
        from scipy.ndimage import find_objects

        places = find_objects(seen.labels)
        for instance in owned:
            place = places[instance - 1]
            mask = seen.labels[place] == instance
            free = mask & (here[place] == 0)
            # Another block sees the same object a little differently: it has it.
            if 2 * np.count_nonzero(free) <= np.count_nonzero(mask):
                continue
            self.count += 1
            here[place][free] = self.count
            if instance in giants:
                self.giants.add(self.count)
            if instance in seen.classes:
                self.classes[self.count] = seen.classes[instance]
            if instance in seen.scores:
                self.scores[self.count] = seen.scores[instance]

    def add_segments(
        self, seen: Instances, here: Array, inside: Box, one_segment: Collection[int]
    ) -> None:
        """Write a block's voxels of segments into the map of its box."""
        for instance in _of_classes(seen, one_segment):
            kind = seen.class_of(instance)
            mask = (seen.labels[inside] == instance) & (here[inside] == 0)
            voxels = int(np.count_nonzero(mask))
            if not voxels:
                continue
            if kind not in self.segments:
                self.count += 1
                self.segments[kind] = self.count
                self.classes[self.count] = kind
            segment = self.segments[kind]
            here[inside][mask] = segment
            if instance in seen.scores:  # the mean over voxels
                before = self.voxels.get(segment, 0)
                total = self.scores.get(segment, 0.0) * before
                total += seen.scores[instance] * voxels
                self.scores[segment] = total / (before + voxels)
                self.voxels[segment] = before + voxels

    def instances(self, labels: Array) -> Instances:
        """Return all of them."""
        return Instances(labels, self.classes, self.scores)


def _of_classes(seen: Instances, kinds: Collection[int]) -> list[int]:
    """Return the ids of some classes."""
    return [i for i, kind in seen.classes.items() if kind in kinds]


def number_in_order(instances: Instances) -> Instances:
    """Number instances by the order of their first voxels, in place.

    Parameters
    ----------
    instances : Instances
        The map is overwritten.

    Returns
    -------
    Instances
        The same with ids 1, 2, 3, ...

    Examples
    --------
    >>> number_in_order(Instances(np.array([[7, 0], [7, 2]], np.int32))).labels.tolist()
    [[1, 0], [1, 2]]
    """
    labels = instances.labels
    new = np.zeros(1, dtype=np.int32)
    number = 0
    for rows, piece in in_rows(labels, PIECE):
        found, first = np.unique(piece, return_index=True)
        found = found[np.argsort(first)]
        found = found[found > 0]
        if not len(found):
            continue
        if found.max() >= len(new):
            new = np.pad(new, (0, int(found.max()) + 1 - len(new)))
        unknown = found[new[found] == 0]
        new[unknown] = np.arange(number + 1, number + 1 + len(unknown))
        number += len(unknown)
        labels[rows] = new[piece]
    return Instances(
        labels=labels,
        classes={int(new[i]): kind for i, kind in instances.classes.items()},
        scores={int(new[i]): score for i, score in instances.scores.items()},
    )


def _cores(shape: Sequence[int], block: Sequence[int]) -> Iterator[Box]:
    """Yield the blocks that an array is cut into."""
    for starts in itertools.product(
        *(range(0, size, edge) for size, edge in zip(shape, block, strict=True))
    ):
        yield tuple(
            slice(start, min(size, start + edge))
            for start, size, edge in zip(starts, shape, block, strict=True)
        )


def _decode_complete(
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
        segments = set(_of_classes(found, one_segment))
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
    return here[pieces]


def _near_end(
    labels: Array, owned: Sequence[int], sides: Sequence[tuple[int, int]], margin: int
) -> set[int]:
    """Return the owned instances that come near to the given sides."""
    there = [np.unique(_layer(labels, *side, margin)) for side in sides]
    return set(owned) & set(np.concatenate(there).tolist())


def _layer(labels: Array, axis: int, end: int, margin: int) -> Array:
    rows = slice(0, margin) if end == 0 else slice(-margin, None)
    return labels[(slice(None),) * axis + (rows,)]
