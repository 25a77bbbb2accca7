"""From a stream of activated outputs to instances in the image's own grid.

Letters: K outputs of all heads, N cropped grid, G image's grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import let_go, zeros
from autoseg.machine import free_memory
from autoseg.predict.device import FREE_SHARE
from autoseg.predict.readouts.blockwise import Box, decode_blocks, number_in_order
from autoseg.predict.windows.canvas import Canvas
from autoseg.preprocess.case import Placement
from autoseg.spec.instances import Instances, as_instances
from autoseg.tasks.base import Task

Array = NDArray[Any]

AT_ONCE = 2**24  # voxels of an image that is decoded without cutting it into blocks
BLOCK = 2**22  # voxels of a block
DECODING = 200  # bytes for each voxel that is decoded, beside its outputs
HALO_SHARE = 16  # of a block's edge; it grows where an instance is larger
ROWS = 2**22  # voxels that are put into the image's grid at a time


def decode_rows(
    rows: Iterable[tuple[Array, int, int]],
    task: Task,
    placement: Placement,
    memory: Callable[[], float] = lambda: math.inf,
) -> Instances:
    """Collect activated outputs, decode them, and go back to the image's grid.

    Outputs are kept in float16, however large the image is, and so a part of an image
    gives the instances that the whole of it does. Those of a large image are in a file,
    of which no more than what is worked on is in memory.

    Parameters
    ----------
    rows : iterable of (ndarray of float32, int, int)
        Outputs (K, *N) but some rows along an axis, that axis, and the first of them.
    task : Task
        Decodes; `Task.decode_margin` is not None.
    placement : Placement
        Of the prepared image.
    memory : callable
        Returns the bytes that decoding may take for an object that fits in no block.

    Returns
    -------
    Instances
        In the image's grid; ids are 1, 2, 3, ...
    """
    shape = placement.cropped_shape
    channels = sum(head.channels for head in task.heads)
    held = zeros((channels, *shape), np.float16)
    fresh = 0
    for part, axis, start in rows:
        place = [slice(None)] * (1 + len(shape))
        place[1 + axis] = slice(start, start + part.shape[1 + axis])
        held[tuple(place)] = part
        fresh += part.size
        if fresh > ROWS:
            let_go(held)
            fresh = 0
    found = _decode(held, task, placement, memory)
    del held
    return _in_image(found, placement)


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
        See `decode_rows`.
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


def by_head(values: Array, task: Task) -> dict[str, Array]:
    """Return outputs (K, *S) of all heads as those of each, (C, *S)."""
    ends = np.cumsum([head.channels for head in task.heads])[:-1]
    parts = np.split(values, ends)
    return {head.name: p for head, p in zip(task.heads, parts, strict=True)}


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
