"""Keep of a stream of outputs the best peak of each landmark, and what is around it.

No array of all landmarks times the volume ever exists: 133 landmarks of a 512-cube need
less than a megabyte here when blocks come as tiles, and the last few rows of each when
they come row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError

Floats = NDArray[np.float32]


class PeakKeeper:
    """The highest output of each landmark, with a window around it.

    Blocks come as tiles, anywhere and overlapping (`add_tile`), or as rows of the whole
    volume one after the other (`add_rows`); landmarks may come in chunks either way.
    Row by row, the result is that of the whole volume at once: of equal values the
    first wins, and a window is whole although its rows came in several blocks.

    Parameters
    ----------
    points : int
        Number of landmarks, L.
    shape : sequence of int, length D
        Of the volume.
    radius : sequence of int, length D
        How far a window reaches from its peak, in voxels (`decoders.reach`).
    axis : int
        Along which `add_rows` goes.

    Attributes
    ----------
    value : ndarray of float32, shape (L,)
        The output at each peak; -inf where none was seen.
    peak : ndarray of int64, shape (L, D)
        Its voxel.
    window : ndarray of float32, shape (L, *W)
        Outputs around it, of edges 2 radius + 1; NaN outside of the volume.

    Examples
    --------
    >>> import numpy as np
    >>> outputs = np.zeros((1, 6, 5), np.float32)
    >>> outputs[0, 2, 3] = 1
    >>> keeper = PeakKeeper(1, (6, 5), (1, 1))
    >>> keeper.add_rows(outputs[:, :3], 0)
    >>> keeper.add_rows(outputs[:, 3:], 3)
    >>> keeper.peak.tolist(), keeper.window[0, 2].tolist()
    ([[2, 3]], [0.0, 0.0, 0.0])
    """

    def __init__(
        self, points: int, shape: Sequence[int], radius: Sequence[int], axis: int = 0
    ) -> None:
        self.shape = tuple(shape)
        self.radius = tuple(radius)
        self.axis = axis
        edges = tuple(2 * r + 1 for r in self.radius)
        self.value: Floats = np.full(points, -np.inf, dtype=np.float32)
        self.peak = np.zeros((points, len(self.shape)), dtype=np.int64)
        self.window: Floats = np.full((points, *edges), np.nan, dtype=np.float32)
        self._rank: Floats = self.value.copy()
        self._next_row = np.zeros(points, dtype=np.int64)
        self._last_rows: dict[int, Floats] = {}

    def add_tile(
        self,
        block: NDArray[Any],
        origin: Sequence[int],
        first: int = 0,
        weight: NDArray[Any] | None = None,
    ) -> None:
        """Look at a tile of the outputs.

        A window comes from the tile that its peak is in, NaN beyond its edge; the
        weight has peaks come from tiles whose middle they are near to. Tiles overlap by
        more than twice the radius for windows to be whole.

        Parameters
        ----------
        block : ndarray of float, shape (K, *B)
            Outputs of K landmarks, logits or probabilities; what is outside of the
            volume counts for nothing.
        origin : sequence of int, length D
            The volume's voxel at which the tile starts; negative where it overhangs.
        first : int
            The first of the K landmarks.
        weight : ndarray of float, shape (*B), optional
            Added to the outputs when peaks are compared, so a logarithm for logits; it
            is no part of `value`.
        """
        inside = tuple(
            slice(max(-o, 0), max(min(b, n - o), 0))
            for o, b, n in zip(origin, block.shape[1:], self.shape, strict=True)
        )
        if any(part.start >= part.stop for part in inside):
            return
        block = block[(slice(None), *inside)]
        corner = [o + part.start for o, part in zip(origin, inside, strict=True)]
        for number, outputs in enumerate(block, start=first):
            ranks = outputs if weight is None else outputs + weight[inside]
            self._look(number, outputs, ranks, corner)

    def add_rows(self, block: NDArray[Any], start: int, first: int = 0) -> None:
        """Look at rows of the outputs that come after those of before.

        Parameters
        ----------
        block : ndarray of float, shape (K, *B)
            Outputs of K landmarks, as long as the volume along all axes but `axis`.
        start : int
            The block's first row: the one after the last that was given for these
            landmarks.
        first : int
            The first of the K landmarks.

        Raises
        ------
        UsageError
            If rows were left out or the block has another shape.
        """
        rows = block.shape[1 + self.axis]
        numbers = range(first, first + len(block))
        expected = tuple(
            rows if i == self.axis else n for i, n in enumerate(self.shape)
        )
        if block.shape[1:] != expected or (self._next_row[numbers] != start).any():
            raise UsageError(
                f"rows {start} to {start + rows} of shape {block.shape[1:]}; the "
                f"volume is {self.shape}, and its next row {self._next_row[first]}."
            )
        self._next_row[numbers] += rows
        for number, outputs in zip(numbers, block, strict=True):
            corner = self._corner(start)
            self._complete(number, outputs, corner)
            before = self._last_rows.get(number)
            if self._look(number, outputs, outputs, corner) and before is not None:
                earlier = self._corner(start - before.shape[self.axis])
                self._complete(number, before, earlier)
            self._remember(number, before, outputs)

    def _corner(self, start: int) -> list[int]:
        return [start if i == self.axis else 0 for i in range(len(self.shape))]

    def _remember(
        self, number: int, before: Floats | None, outputs: NDArray[Any]
    ) -> None:
        """Keep the last rows, which the windows of later peaks may reach back to."""
        keep = self.radius[self.axis]
        if self._next_row[number] >= self.shape[self.axis] or keep == 0:
            self._last_rows.pop(number, None)
            return
        if before is not None and outputs.shape[self.axis] < keep:
            outputs = np.concatenate([before, outputs], axis=self.axis)
        # A copy, so that the block itself can go.
        rows = np.arange(outputs.shape[self.axis])[-keep:]
        last = outputs.take(rows, axis=self.axis)
        self._last_rows[number] = last.astype(np.float32)

    def _look(
        self,
        number: int,
        outputs: NDArray[Any],
        ranks: NDArray[Any],
        corner: Sequence[int],
    ) -> bool:
        """Take the highest of a landmark's outputs if it beats what is kept."""
        place = np.unravel_index(int(np.argmax(ranks)), outputs.shape)
        if not ranks[place] > self._rank[number]:
            return False
        self._rank[number] = ranks[place]
        self.value[number] = outputs[place]
        self.peak[number] = np.add(corner, place)
        self.window[number] = np.nan
        self._complete(number, outputs, corner)
        return True

    def _complete(
        self, number: int, outputs: NDArray[Any], corner: Sequence[int]
    ) -> None:
        """Copy the part of a landmark's window that these outputs cover."""
        low = self.peak[number] - self.radius
        begin = np.maximum(low, corner)
        end = np.minimum(
            self.peak[number] + self.radius + 1, np.add(corner, outputs.shape)
        )
        if (begin >= end).any():
            return
        into = tuple(slice(a, b) for a, b in zip(begin - low, end - low, strict=True))
        of = tuple(
            slice(a, b) for a, b in zip(begin - corner, end - corner, strict=True)
        )
        self.window[number][into] = outputs[of]
