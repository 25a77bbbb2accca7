"""Resample network outputs and decide on the way, in little memory.

Heads do not depend on each other until the decision, so they are resampled one at a
time, and what is kept of them is, for each voxel of the new grid, the largest value so
far and whose it was. Work is done in pieces that fit in the processor's cache. Outputs
may come row by row along one axis: what can be decided is decided.

Letters: K heads, R rows along the stream's axis, P the other axes, S all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.geometry import _separable
from autoseg.geometry._blocks import RowsHeld
from autoseg.geometry._decision import Argmax, Paint, Scratch
from autoseg.geometry._operators import Operator, Select
from autoseg.geometry.resample import (
    separate_axis,
    way_of_outputs,
)
from autoseg.geometry.threads import workers
from autoseg.spec.configuration import Resampling

if TYPE_CHECKING:
    import torch

    Tensor = torch.Tensor

Array = NDArray[Any]

# Voxels of a head decided at once: it, its rivals and labels share a cache.
PIECE = 2**19
GROUP = 2**20  # voxels of a head resampled across the stream at once


class RowResampler:
    """Network outputs from one grid to another, rows along one axis at a time.

    Parameters
    ----------
    shape, new_shape : sequence of int, length D
        Voxels before and after.
    spacing, new_spacing : sequence of float, length D
        Edge of a voxel before and after.
    resampling : Resampling
        Method and ``output_order``, which may be 0 or 1: cubic splines need all rows.
    axis : int
        Along which rows come.

    Raises
    ------
    UsageError
        If `streams` says that rows do not suffice.
    """

    def __init__(
        self,
        shape: Sequence[int],
        new_shape: Sequence[int],
        spacing: Sequence[float],
        new_spacing: Sequence[float],
        resampling: Resampling,
        axis: int = 0,
    ) -> None:
        if not streams(spacing, new_spacing, resampling):
            raise UsageError(
                "splines of an order above 1 cannot be resampled row by row; "
                "resample whole outputs."
            )
        way = way_of_outputs(resampling)
        thick = separate_axis(spacing, new_spacing, way.resampling)
        operators = way.operators(shape, new_shape, thick)
        if way.method == "none":
            operators = [None] * len(operators)
        self.axis = axis
        self._rounds = way.method == "spline" and any(operators)
        self._along = operators.pop(axis)
        self._size = shape[axis] if self._along is None else self._along.size
        # Whoever repeats voxels may as well repeat their labels.
        plane = [size for i, size in enumerate(shape) if i != axis]
        self._across: list[Operator] = []
        self._repeats: list[Operator] = []
        for operator, old in zip(operators, plane, strict=True):
            late = isinstance(operator, Select) and operator.size > old
            self._across.append(None if late else operator)
            self._repeats.append(operator if late else None)

    @property
    def size(self) -> int:
        """New rows."""
        return self._size

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first old row that new ones need, and the first beyond."""
        if self._along is None:
            return start, stop
        return self._along.needs(start, stop)

    def ready(self, available: int) -> int:
        """Return how many new rows can be made once so many old ones are there."""
        low, high = 0, self.size
        while low < high:  # the rows that are needed never descend
            middle = (low + high + 1) // 2
            if self.needs(0, middle)[1] <= available:
                low = middle
            else:
                high = middle - 1
        return low

    def stream(self) -> RowsHeld:
        """Return what says, block by block, which new rows can be made."""
        return RowsHeld(self)

    def decide(
        self,
        heads: Iterable[Any],
        first: int,
        start: int,
        stop: int,
        painted: Sequence[int] | None = None,
    ) -> Array:
        """Return the labels of some new rows.

        Parameters
        ----------
        heads : iterable of ndarray or Tensor, each (*S) but some rows along the axis
            Logits, one head after the other; at least the rows that `needs` names.
        first : int
            Which old row the first of them is.
        start, stop : int
            First new row, and one beyond.
        painted : sequence of int, length K, optional
            For overlapping regions: the value to paint where a head is over 0.5 after
            a sigmoid, later heads over earlier ones. By default the largest head wins,
            of equal ones the first.

        Returns
        -------
        ndarray of uint8 or int16, shape (*new) but rows ``start`` to ``stop``
            Number of the head, or the painted value. Logits of float16 are compared in
            that precision, as nnU-Net does.
        """
        choice = Argmax() if painted is None else Paint(painted)
        along, rows = self._along, (start, stop)
        repeat = None
        if isinstance(along, Select):  # decide on old rows, then repeat them
            kept, repeat = np.unique(along.index[start:stop], return_inverse=True)
            along, rows = Select(kept), (0, len(kept))
        with workers() as (threads, run):
            tasks: list[_Part] = []
            for head in heads:
                values = (
                    _separable.tensor_of(head) if isinstance(head, np.ndarray) else head
                )
                values = values.movedim(self.axis, 0)
                if not tasks:
                    count = threads if values.device.type == "cpu" else 1
                    tasks = [_Part(*part) for part in _shares(*rows, count)]
                plane = self._plane(values.shape[1:])
                choice.next_head((rows[1] - rows[0], *plane), values.device)
                see = partial(self._see, values, choice, first, along, rows[0])
                run(see, tasks)
        return self._finish(choice.labels, repeat)

    def _see(
        self,
        values: Tensor,
        choice: Argmax | Paint,
        first: int,
        along: Operator,
        start: int,
        part: _Part,
    ) -> None:
        """Show a head's values in a part of the new rows to what decides."""
        if along is None:
            low, high = part.start, part.stop
        else:
            low, high = along.needs(part.start, part.stop)
        values = values[low - first : high - first]
        middle = self._across_all(values, part.scratch)
        step = max(1, PIECE // max(1, int(np.prod(middle.shape[1:]))))
        for row in range(part.start, part.stop, step):
            stop = min(row + step, part.stop)
            piece = _separable.rows_of(middle, low, along, row, stop)
            if self._rounds and values.dtype != piece.dtype:
                rounded = part.scratch.like("rounded", piece, values.dtype)
                piece.copy_(rounded.copy_(piece))
            choice.see(piece, slice(row - start, stop - start), part.scratch)

    def outputs(
        self, heads: Iterable[Tensor], first: int, start: int, stop: int
    ) -> Tensor:
        """Return some new rows of all heads.

        Parameters
        ----------
        heads, first, start, stop
            As in `decide`.

        Returns
        -------
        Tensor of float32, shape (K, *new) but rows ``start`` to ``stop``
            Logits; axes in the order of the array.
        """
        import torch

        made = []
        for head in heads:
            values = self._across_all(head.movedim(self.axis, 0), Scratch())
            rows = _separable.rows_of(values, first, self._along, start, stop)
            for axis, operator in enumerate(self._repeats):
                if isinstance(operator, Select):
                    index = torch.from_numpy(operator.index).to(rows.device)
                    rows = rows.index_select(axis + 1, index)
            made.append(rows.movedim(0, self.axis))
        return torch.stack(made)

    def _plane(self, shape: Sequence[int]) -> list[int]:
        """Return the shape across the stream after resampling."""
        return [
            size if operator is None else operator.size
            for operator, size in zip(self._across, shape, strict=True)
        ]

    def _across_all(self, values: Tensor, scratch: Scratch) -> Tensor:
        """Resample all axes but the stream's, into the same memory for each head."""
        import torch

        if not any(self._across):
            return values.float()
        plane = self._plane(values.shape[1:])
        shape = (len(values), *plane)
        result = scratch.empty("across", shape, torch.float32, values.device)
        step = max(1, GROUP // max(1, int(np.prod(plane))))
        for row in range(0, len(values), step):
            part = values[row : row + step].float().contiguous()
            result[row : row + step] = _separable.inner(part, self._across)
        return result

    def _finish(self, labels: Tensor, repeat: NDArray[np.intp] | None) -> Array:
        """Repeat labels where the nearest voxel counts; put the axes in order."""
        found: Array = labels.cpu().numpy()
        if repeat is not None:
            found = found[repeat]
        for axis, operator in enumerate(self._repeats):
            if isinstance(operator, Select):
                found = np.take(found, operator.index, axis=axis + 1)
        return np.ascontiguousarray(np.moveaxis(found, 0, self.axis))


@dataclass
class _Part:
    """Some of the new rows, and the memory of the thread that works on them."""

    start: int
    stop: int
    scratch: Scratch = field(default_factory=Scratch)


def _shares(start: int, stop: int, count: int) -> list[tuple[int, int]]:
    """Cut rows into equal shares."""
    cuts = np.linspace(start, stop, max(1, min(count, stop - start)) + 1).round()
    rows = [int(cut) for cut in cuts]
    return list(zip(rows[:-1], rows[1:], strict=True))


def decide_blocks(
    blocks: Iterable[tuple[int, Tensor]],
    resampler: RowResampler,
    painted: Sequence[int] | None = None,
) -> Iterator[tuple[int, Array]]:
    """Turn finished rows of all heads into rows of labels, as they come.

    Parameters
    ----------
    blocks : iterable of (int, Tensor)
        First old row, and logits (K, *S) but some rows along the resampler's axis.
        Rows follow one another without a gap. A block is not used any more when the
        next is asked for.
    resampler : RowResampler
        From the blocks' grid to that of the labels.
    painted : sequence of int, length K, optional
        As in `RowResampler.decide`.

    Yields
    ------
    start : int
        First new row.
    labels : ndarray of uint8 or int16, shape (*new) but some rows along the axis
        From there on.
    """
    held = resampler.stream()
    for row, logits in blocks:
        for heads, first, start, stop in held.take(row, logits):
            yield start, resampler.decide(heads, first, start, stop, painted)


def streams(
    spacing: Sequence[float], new_spacing: Sequence[float], resampling: Resampling
) -> bool:
    """Return whether outputs can be resampled row by row: no spline above order 1."""
    way = way_of_outputs(resampling)
    thick = separate_axis(spacing, new_spacing, way.resampling)
    return max(way.order, 0 if thick is None else way.thick_order) <= 1
