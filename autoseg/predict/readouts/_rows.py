"""From finished outputs to activated outputs on the cropped grid, row by row.

Letters: K outputs of all heads, S network's grid, N cropped grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.geometry.resample import resample_outputs
from autoseg.geometry.streaming import RowResampler, streams
from autoseg.predict.windows.window import EXPORTED, Block
from autoseg.preprocess.placement import Placement
from autoseg.spec.configuration import Resampling
from autoseg.spec.head import Head

Array = NDArray[Any]
Rows = tuple[Array, int, int]
"""Rows (K, *N) or (*N) of the cropped grid, the axis, and the first of them."""
Ready = tuple[Sequence[torch.Tensor], int, int, int]
"""Old rows of each head, the first of them, the first new row, and one beyond."""

PIECE = 2 * EXPORTED  # numbers of activated outputs that are made at once: 128 MB


@dataclass(frozen=True, kw_only=True)
class Grids:
    """How outputs of one image come to the cropped grid.

    Parameters
    ----------
    heads : tuple of Head
        Of the task.
    resampling : Resampling
        Of the configuration.
    placement : Placement
        Of the prepared image.
    exact : bool
        Resample by the plain library call.
    exported : int
        Voxels that are decided at once, about.
    """

    heads: tuple[Head, ...]
    resampling: Resampling
    placement: Placement
    exact: bool = False
    exported: int = EXPORTED

    @property
    def streams(self) -> bool:
        """Whether rows can be resampled as they come."""
        there = self.placement
        same = there.shape == there.cropped_shape
        spacings = there.spacing, there.cropped_spacing
        return streams(*spacings, self.resampling) and (same or not self.exact)

    def resample(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits (K, *N) of all of the cropped grid for (K, *S)."""
        resampled = resample_outputs(
            logits.numpy(),
            self.placement.cropped_shape,
            self.placement.spacing,
            self.placement.cropped_spacing,
            self.resampling,
            exact=self.exact,
        )
        return torch.from_numpy(resampled)

    def activate(self, logits: torch.Tensor) -> dict[str, Array]:
        """Return the activated outputs of each head, float32."""
        parts = logits.float().split([head.channels for head in self.heads])
        found = {}
        for head, part in zip(self.heads, parts, strict=True):
            if head.activation == "softmax":
                part = torch.softmax(part, dim=0)
            elif head.activation == "sigmoid":
                part = torch.sigmoid(part)
            found[head.name] = part.cpu().numpy()
        return found


class Stream:
    """Blocks of outputs that become rows of the cropped grid as soon as they can.

    Parameters
    ----------
    grids : Grids
        Whose rows can be resampled as they come.
    """

    def __init__(self, grids: Grids) -> None:
        there = grids.placement
        self.grids = grids
        self._grids = there.shape, there.cropped_shape
        self._spacings = there.spacing, there.cropped_spacing
        self._resampler: RowResampler | None = None

    def take(self, block: Block) -> Iterator[tuple[RowResampler, Ready]]:
        """Yield what resamples, and what of, for the rows that can be made now."""
        axis, there = block.axis, self.grids.placement
        if self._resampler is None:
            self._resampler = RowResampler(
                *self._grids, *self._spacings, self.grids.resampling, axis
            )
            self._rows = self._resampler.stream()
        # A block is cut into fewer rows, so that what is decided at once stays small.
        voxels = math.prod(there.cropped_shape)
        step = max(1, self.grids.exported * there.shape[axis] // voxels)
        for low in range(block.start, block.stop, step):
            size = min(step, block.stop - low)
            logits = block.logits.narrow(axis + 1, low - block.start, size)
            for ready in self._rows.take(low, logits):
                yield self._resampler, ready
            block.let_go()

    def activated(
        self, resampler: RowResampler, ready: Ready, every: int = 1
    ) -> Iterator[Rows]:
        """Yield activated rows (K, *N), not too many at once; one out of so many."""
        heads, first, start, stop = ready
        axis, shape = resampler.axis, self.grids.placement.cropped_shape
        outputs = sum(head.channels for head in self.grids.heads)
        row = outputs * math.prod(shape) // shape[axis]
        step = max(1, min(PIECE, 2 * self.grids.exported) // max(1, row))
        first_one = start if every == 1 else -(-start // every) * every
        for low in range(first_one, stop, step if every == 1 else every):
            high = min(low + (step if every == 1 else 1), stop)
            below, above = resampler.needs(low, high)
            needed = (h.narrow(axis, below - first, above - below) for h in heads)
            logits = resampler.outputs(needed, below, low, high)
            yield join(self.grids.activate(logits)), axis, low


def join(outputs: Mapping[str, Array]) -> Array:
    """Return outputs of each head, (C, *N), as those of all, (K, *N)."""
    return np.concatenate(list(outputs.values()))


class Whole:
    """All outputs at once, (K, *S), on the CPU.

    Parameters
    ----------
    shape : sequence of int
        S.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.outputs = torch.empty((0, *shape))

    def take(self, block: Block) -> None:
        """Take the next rows."""
        count, shape = len(block.logits), self.outputs.shape[1:]
        if not len(self.outputs):
            self.outputs = torch.empty((count, *shape), dtype=block.logits.dtype)
        size = block.stop - block.start
        self.outputs.narrow(block.axis + 1, block.start, size).copy_(block.logits)
