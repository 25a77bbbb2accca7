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

import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import in_rows, let_go
from autoseg.predict.readouts._instances.halo import (
    Box,
    Outputs,
    cores,
    decode_complete,
    of_classes,
)
from autoseg.spec.instances import Instances

logger = logging.getLogger(__name__)

Array = NDArray[Any]

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
    blocks = list(cores(shape, block))
    for done, core in enumerate(blocks):
        box, seen, owned, giants = decode_complete(
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
        progress(done + 1, len(blocks))
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
        for instance in of_classes(seen, one_segment):
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
