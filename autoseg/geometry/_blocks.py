"""Join blocks of finished rows, so that new rows are made from all that they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    Tensor = torch.Tensor


class Rows(Protocol):
    """What is asked of a resampler of rows."""

    axis: int

    @property
    def size(self) -> int:
        """New rows."""

    def needs(self, start: int, stop: int) -> tuple[int, int]:
        """Return the first old row that new ones need, and the first beyond."""

    def ready(self, available: int) -> int:
        """Return how many new rows can be made once so many old ones are there."""


class RowsHeld:
    """The old rows that new ones still need, of a stream of finished rows.

    Parameters
    ----------
    resampler : RowResampler
        From the blocks' grid to that of the labels.
    """

    def __init__(self, resampler: Rows) -> None:
        self._resampler = resampler
        self._done = 0
        self._held: Tensor | None = None

    def take(
        self, start: int, logits: Tensor
    ) -> Iterator[tuple[_Joined, int, int, int]]:
        """Say which new rows can be made of the next block, and from what.

        Parameters
        ----------
        start : int
            First row of the block, which follows the one before without a gap.
        logits : Tensor
            As in `decide_blocks`; not used any more when all was yielded.

        Yields
        ------
        heads : sequence of Tensor, length K
            Of each head the old rows that are needed.
        first : int
            Which old row the first of them is.
        start, stop : int
            First new row, and one beyond.
        """
        import torch

        resampler, held, axis = self._resampler, self._held, self._resampler.axis
        first = start if held is None else start - held.shape[axis + 1]
        stop = start + logits.shape[axis + 1]
        ready = resampler.ready(stop)
        if ready > self._done:
            yield _Joined(held, logits, axis), first, self._done, ready
            self._done = ready
        keep = stop
        if self._done < resampler.size:  # the next row may need later ones only
            keep = min(stop, resampler.needs(self._done, self._done + 1)[0])
        if keep < start and held is not None:
            held = torch.cat([held, logits], dim=axis + 1)
            self._held = held.narrow(axis + 1, keep - first, stop - keep).clone()
        else:
            keep = max(keep, start)
            self._held = logits.narrow(axis + 1, keep - start, stop - keep).clone()


class _Joined(Sequence["Tensor"]):
    """Heads of two blocks in a row, joined one by one when they are asked for."""

    def __init__(self, held: Tensor | None, logits: Tensor, axis: int) -> None:
        self._held, self._logits, self._axis = held, logits, axis
        if held is not None and not held.shape[axis + 1]:
            self._held = None

    def __len__(self) -> int:
        return len(self._logits)

    def __getitem__(self, head: Any) -> Any:
        import torch

        if self._held is None:
            return self._logits[head]
        return torch.cat((self._held[head], self._logits[head]), dim=self._axis)
