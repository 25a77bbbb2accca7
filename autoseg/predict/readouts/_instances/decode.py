"""From activated outputs to instances in the image's own grid.

Letters: K outputs of all heads, N cropped grid, G image's grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import let_go, zeros
from autoseg.machine import FREE_SHARE, free_memory
from autoseg.predict.readouts._instances.blockwise import (
    decode_blocks,
    number_in_order,
)
from autoseg.predict.readouts._instances.halo import Box
from autoseg.predict.readouts.outputs import by_head
from autoseg.predict.windows.canvas import Canvas
from autoseg.preprocess.placement import Placement
from autoseg.spec.instances import Instances, as_instances
from autoseg.tasks.base import Task

Array = NDArray[Any]

AT_ONCE = 2**24  # voxels of an image that is decoded without cutting it into blocks
BLOCK = 2**22  # voxels of a block
DECODING = 200  # bytes for each voxel that is decoded, beside its outputs
HALO_SHARE = 16  # of a block's edge; it grows where an instance is larger
ROWS = 2**22  # voxels that are put into the image's grid at a time


class HeldOutputs:
    """Activated outputs of an image, in float16, however large it is.

    So a part of an image gives the instances that the whole of it does. Outputs of a
    large image are in a file, of which no more than what is worked on is in memory.

    Parameters
    ----------
    task : Task
        Of instances.
    placement : Placement
        Of the prepared image.
    """

    def __init__(self, task: Task, placement: Placement) -> None:
        channels = sum(head.channels for head in task.heads)
        self._held = zeros((channels, *placement.cropped_shape), np.float16)
        self._task, self._placement = task, placement
        self._fresh = 0

    def put(self, part: Array, axis: int, start: int) -> None:
        """Take float32 outputs (K, *N), but some rows along ``axis`` from ``start``."""
        place = [slice(None)] * part.ndim
        place[1 + axis] = slice(start, start + part.shape[1 + axis])
        self._held[tuple(place)] = part
        self._fresh += part.size
        if self._fresh > ROWS:
            let_go(self._held)
            self._fresh = 0

    def decode(self, memory: Callable[[], float] = lambda: math.inf) -> Instances:
        """Decode them, forget them, and go back to the image's grid.

        Parameters
        ----------
        memory : callable
            Returns the bytes that decoding may take for an object that fits in no
            block.

        Returns
        -------
        Instances
            In the image's grid; ids are 1, 2, 3, ...
        """
        found = _decode(self._held, self._task, self._placement, memory)
        del self._held
        return _in_image(found, self._placement)


def decode_kept(kept: Any, task: Task, placement: Placement) -> Instances:
    """Decode outputs that were collected before, and go back to the image's grid.

    Parameters
    ----------
    kept : array of float16, shape (K, *N)
        Activated outputs; anything that takes slices.
    task : Task
        Decodes.
    placement : Placement
        Of the prepared image.

    Returns
    -------
    Instances
        See `HeldOutputs.decode`.
    """
    found = _decode(kept, task, placement, lambda: FREE_SHARE * free_memory())
    return _in_image(found, placement)


def _in_image(found: Instances, placement: Placement) -> Instances:
    """Put instances of the cropped grid where they belong in the image."""
    shape = placement.cropped_shape
    if shape == placement.geometry.shape and _is_plain(placement):
        return found
    labels = zeros(placement.geometry.shape, np.int32)
    canvas = Canvas(labels, placement)
    step = max(1, ROWS * shape[0] // math.prod(shape))
    for start in range(0, shape[0], step):
        canvas.put(found.labels[start : start + step], 0, start)
        let_go(found.labels)
        let_go(labels)
    return Instances(labels, found.classes, found.scores)


def _decode(
    held: Any, task: Task, placement: Placement, memory: Callable[[], float]
) -> Instances:
    shape, spacing = placement.cropped_shape, placement.cropped_spacing

    def outputs(box: Box) -> Mapping[str, Array]:
        values = np.asarray(held[(slice(None), *box)]).astype(np.float32)
        let_go(held)
        return by_head(values, task)

    def decode(values: Mapping[str, Array]) -> Any:
        return task.decode(values, spacing)

    if math.prod(shape) <= AT_ONCE:
        found = as_instances(decode(outputs((slice(None),) * len(shape))))
        return number_in_order(found)
    block = block_edges(shape, BLOCK)
    return decode_blocks(
        decode,
        outputs,
        shape,
        block,
        [edge // HALO_SHARE for edge in block],
        margin=task.decode_margin or 1,
        labels=zeros(shape, np.int32),
        one_segment=task.one_segment,
        presence=task.presence,
        most=max(AT_ONCE, memory() / (DECODING + 4 * len(held))),
    )


def block_edges(shape: Sequence[int], voxels: int = BLOCK) -> tuple[int, ...]:
    """Return edges of blocks of about so many voxels, as alike as the array allows.

    Examples
    --------
    >>> block_edges((20000, 20000), 2**22), block_edges((10, 4000, 4000), 2**22)
    ((2048, 2048), (10, 648, 647))
    """
    edges = list(shape)
    order = sorted(range(len(shape)), key=lambda axis: shape[axis])
    left = voxels
    for place, axis in enumerate(order):  # short axes first: others take what is left
        edge = round(left ** (1 / (len(order) - place)))
        edges[axis] = max(1, min(edge, shape[axis]))
        left = max(1, left // edges[axis])
    return tuple(edges)


def _is_plain(placement: Placement) -> bool:
    """Return whether the cropped grid is the image's, axis by axis."""
    return placement.orientation is None and placement.transpose == tuple(
        range(len(placement.transpose))
    )
