"""From a stream of finished outputs to a prediction in the image's own grid.

Letters: K outputs of all heads, S network's grid, N cropped grid, G image's grid.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.geometry.resample import resample_outputs
from autoseg.geometry.streaming import (
    RowResampler,
    ready_rows,
    resample_argmax,
    streams,
)
from autoseg.predict.readouts.instances import decode_rows
from autoseg.predict.windows.canvas import Canvas
from autoseg.predict.windows.memory import EXPORTED
from autoseg.predict.windows.window import Block
from autoseg.preprocess.case import Placement
from autoseg.spec.instances import Instances
from autoseg.spec.plan import Resampling
from autoseg.tasks.base import Pointwise, Task

Array = NDArray[Any]

PIECE = 2**25  # numbers of activated outputs that are made at once: 128 MB


class Sink(Protocol):
    """Takes activated outputs, some rows at a time.

    Attributes
    ----------
    alone : bool
        Whether it wants instances' outputs only, and no prediction made of them.
    """

    alone: bool

    def open(self, placement: Placement) -> None:
        """Be told the grids before the first rows."""

    def put(self, outputs: Array, axis: int, start: int) -> None:
        """Take float32 outputs (K, *N), but some rows along ``axis`` from ``start``."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """How outputs become a prediction.

    Parameters
    ----------
    task : Task
        Decodes.
    resampling : Resampling
        Of the configuration.
    exact : bool
        Resample by the plain library call.
    sink : Sink, optional
        Where activated outputs go, if somebody wants them.
    memory : callable
        Returns the bytes that decoding instances may take.
    """

    task: Task
    resampling: Resampling
    exact: bool = False
    sink: Sink | None = None
    memory: Callable[[], float] = lambda: math.inf

    def run(
        self, blocks: Iterable[Block], placement: Placement
    ) -> Array | Instances | None:
        """Decode a stream of finished outputs.

        Parameters
        ----------
        blocks : iterable of Block
            From `predict_outputs`.
        placement : Placement
            Of the prepared image.

        Returns
        -------
        ndarray of int, shape (*G), or Instances
            Values as they belong in a file, in the image's own grid; of a task with
            instances, those, with their map in that grid; None if the sink is alone.

        Raises
        ------
        UsageError
            If the task's annotations are no label maps.
        """
        if self.task.kind == "points":
            raise UsageError(
                f"A task with {self.task.kind} cannot be exported as labels."
            )
        if self.sink is not None:
            self.sink.open(placement)
        if self.task.decode_margin is not None:
            return self._instances(blocks, placement)
        pointwise = self.task.pointwise
        if pointwise is None:
            whole = self.task.write(self._from_everything(blocks, placement))
            labels = np.zeros(placement.geometry.shape, whole.dtype)
            Canvas(labels, placement).put(whole, 0, 0)
            return labels
        background = np.asarray(self.task.write(np.zeros(1, np.int16)))
        labels = np.full(placement.geometry.shape, background[0], background.dtype)
        canvas = Canvas(labels, placement)
        for inner, axis, start in self._decoded(blocks, placement, pointwise):
            canvas.put(self.task.write(inner), axis, start)
        return labels

    def _decoded(
        self, blocks: Iterable[Block], placement: Placement, pointwise: Pointwise
    ) -> Iterator[tuple[Array, int, int]]:
        """Yield rows of inner labels on the cropped grid, axis, and first row."""
        if self._streams(placement):
            yield from self._from_rows(blocks, placement, pointwise)
        else:
            yield self._from_heads(blocks, placement, pointwise), 0, 0

    def _streams(self, placement: Placement) -> bool:
        """Return whether rows can be resampled as they come."""
        spacings = placement.spacing, placement.cropped_spacing
        same = placement.shape == placement.cropped_shape
        return streams(*spacings, self.resampling) and (same or not self.exact)

    def _resampler(self, placement: Placement, axis: int) -> RowResampler:
        return RowResampler(
            placement.shape,
            placement.cropped_shape,
            placement.spacing,
            placement.cropped_spacing,
            self.resampling,
            axis,
        )

    def _from_rows(
        self, blocks: Iterable[Block], placement: Placement, pointwise: Pointwise
    ) -> Iterator[tuple[Array, int, int]]:
        """Decide row by row, with a running maximum over heads."""
        stream = iter(blocks)
        one = next(stream)
        axis = one.axis
        resampler = self._resampler(placement, axis)
        pairs = _thin(chain([one], stream), placement)
        for ready in ready_rows(pairs, resampler):
            heads, first, start, stop = ready
            labels = resampler.decide(heads, first, start, stop, pointwise.painted)
            yield labels, axis, start
            if self.sink is not None:
                for rows in self._activated(resampler, ready, placement):
                    self.sink.put(*rows)

    def _instances(
        self, blocks: Iterable[Block], placement: Placement
    ) -> Instances | None:
        """Decode instances, which need outputs all around them."""
        rows = self._all_rows(blocks, placement)
        if self.sink is not None and self.sink.alone:
            deque(rows, maxlen=0)
            return None
        return decode_rows(rows, self.task, placement, self.memory)

    def _all_rows(
        self, blocks: Iterable[Block], placement: Placement
    ) -> Iterator[tuple[Array, int, int]]:
        """Yield activated rows (K, *N), the axis, the first row; to the sink too."""
        for rows in self._rows_of_outputs(blocks, placement):
            if self.sink is not None:
                self.sink.put(*rows)
            yield rows

    def _rows_of_outputs(
        self, blocks: Iterable[Block], placement: Placement
    ) -> Iterator[tuple[Array, int, int]]:
        if not self._streams(placement):
            logits = self._resample(_collect(blocks, placement.shape), placement)
            yield _join(self._activate(logits)), 0, 0
            return
        stream = iter(blocks)
        one = next(stream)
        resampler = self._resampler(placement, one.axis)
        pairs = _thin(chain([one], stream), placement)
        for ready in ready_rows(pairs, resampler):
            yield from self._activated(resampler, ready, placement)

    def _activated(
        self,
        resampler: RowResampler,
        ready: tuple[Sequence[torch.Tensor], int, int, int],
        placement: Placement,
    ) -> Iterator[tuple[Array, int, int]]:
        """Yield activated rows, not too many at once; the axis, and the first row."""
        heads, first, start, stop = ready
        axis, shape = resampler.axis, placement.cropped_shape
        row = sum(h.channels for h in self.task.heads) * math.prod(shape) // shape[axis]
        step = max(1, PIECE // max(1, row))
        for low in range(start, stop, step):
            high = min(low + step, stop)
            below, above = resampler.needs(low, high)
            needed = (h.narrow(axis, below - first, above - below) for h in heads)
            logits = resampler.outputs(needed, below, low, high)
            yield _join(self._activate(logits)), axis, low

    def _from_heads(
        self, blocks: Iterable[Block], placement: Placement, pointwise: Pointwise
    ) -> Array:
        """Resample one whole head after the other."""
        whole = _collect(blocks, placement.shape)
        if self.sink is not None:
            self.sink.put(_join(self._activate(self._resample(whole, placement))), 0, 0)
        return resample_argmax(
            (head.numpy() for head in whole),
            placement.cropped_shape,
            placement.spacing,
            placement.cropped_spacing,
            self.resampling,
            painted=pointwise.painted,
            exact=self.exact,
        )

    def _from_everything(self, blocks: Iterable[Block], placement: Placement) -> Any:
        """Decode by a task that needs all outputs at once."""
        logits = self._resample(_collect(blocks, placement.shape), placement)
        outputs: Mapping[str, Array] = self._activate(logits)
        if self.sink is not None:
            self.sink.put(_join(outputs), 0, 0)
        return self.task.decode(outputs, placement.cropped_spacing)

    def _resample(self, logits: torch.Tensor, placement: Placement) -> torch.Tensor:
        resampled = resample_outputs(
            logits.numpy(),
            placement.cropped_shape,
            placement.spacing,
            placement.cropped_spacing,
            self.resampling,
            exact=self.exact,
        )
        return torch.from_numpy(resampled)

    def _activate(self, logits: torch.Tensor) -> dict[str, Array]:
        """Return the activated outputs of each head, float32."""
        parts = logits.float().split([head.channels for head in self.task.heads])
        found = {}
        for head, part in zip(self.task.heads, parts, strict=True):
            if head.activation == "softmax":
                part = torch.softmax(part, dim=0)
            elif head.activation == "sigmoid":
                part = torch.sigmoid(part)
            found[head.name] = part.cpu().numpy()
        return found


def _thin(
    blocks: Iterable[Block], placement: Placement
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield blocks cut into fewer rows, so that what is decided at once stays small."""
    for block in blocks:
        axis = block.axis
        voxels = math.prod(placement.cropped_shape)
        step = max(1, EXPORTED * placement.shape[axis] // voxels)
        for low in range(block.start, block.stop, step):
            rows = min(step, block.stop - low)
            yield low, block.logits.narrow(axis + 1, low - block.start, rows)


def _join(outputs: Mapping[str, Array]) -> Array:
    return np.concatenate(list(outputs.values()))


def _collect(blocks: Iterable[Block], shape: Sequence[int]) -> torch.Tensor:
    """Return all outputs at once, (K, *S), on the CPU."""
    whole: torch.Tensor | None = None
    for block in blocks:
        if whole is None:
            outputs = len(block.logits)
            whole = torch.empty((outputs, *shape), dtype=block.logits.dtype)
        rows = whole.narrow(block.axis + 1, block.start, block.stop - block.start)
        rows.copy_(block.logits)
    return torch.empty((0, *shape)) if whole is None else whole
