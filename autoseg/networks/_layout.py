"""Images whose channels are the fastest axis in memory, and their voxels in rows.

Letters: B batch, C channels, S spatial shape, V voxels of one image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

ROW = 128  # numbers side by side for which torch's loops over channels are fast


def last_layout(x: Tensor) -> torch.memory_format:
    """Return the layout that has channels last, for images (B, C, *S)."""
    return torch.channels_last if x.dim() == 4 else torch.channels_last_3d


def is_last(x: Tensor) -> bool:
    """Return whether channels are the fastest axis in memory, and not also the voxels.

    One channel is both; then strides say what was meant, as they do for torch.
    """
    if not x.is_contiguous(memory_format=last_layout(x)):
        return False
    return not x.is_contiguous() or (x.shape[1] == 1 and x.stride(1) < x.stride(-2))


def with_last(x: Tensor) -> Tensor:
    """Return the same numbers with channels last, and seen to be so by torch.

    An image of one channel is laid out in both ways, and torch takes it for channels
    first by its strides; all layers up to the next convolution would be, too.
    """
    x = x.contiguous(memory_format=last_layout(x))
    if x.shape[1] > 1:
        return x
    strides = [math.prod(x.shape[axis + 1 :]) for axis in range(x.dim())]
    strides[1] = 1
    return x.as_strided(x.shape, strides)


def empty(x: Tensor, channels: int, shape: Sequence[int]) -> Tensor:
    """Return memory for images (B, channels, *shape), channels last, otherwise like x.

    What is written into a view of it is no view itself, so that an activation after it
    may overwrite it.
    """
    return torch.empty(
        (len(x), channels, *shape),
        dtype=x.dtype,
        device=x.device,
        memory_format=last_layout(x),
    )


def voxels(x: Tensor) -> Tensor:
    """Return images (B, C, *S) as (B * V, C), a view where channels are last."""
    return x.movedim(1, -1).flatten(0, -2)


def group(channels: int, count: int) -> int:
    """Return how many of some voxels make a row: a power of two that divides them."""
    size = 1
    while 2 * size * channels <= ROW and count % (4 * size) == 0:
        size *= 2
    return size
