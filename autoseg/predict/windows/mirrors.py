"""Mirrored copies of windows: what a network is asked, and the mean of its answers.

Letters: C channels, K outputs of all heads, P patch, B batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from autoseg.predict.windows.disagreement import Disagreement
from autoseg.spec.head import Head

Copy = tuple[int, tuple[int, ...]]
"""Number of a window, and the axes along which it is mirrored."""


class Copies:
    """All mirrored copies of some windows, and what networks say of them.

    Parameters
    ----------
    inputs : sequence of tensor, shape (C, *P)
        The windows, where the networks are.
    mirrors : sequence of tuple of int
        Axes of the patch; see `Windows.mirrors`.
    batch : int
        Copies that a network gets at once.
    heads : sequence of Head
        Which outputs have directions, that mirrors turn; empty: none has.
    doubted : sequence of Head
        All heads, if the disagreement of all copies and networks is to be one more
        output, the last.
    """

    def __init__(
        self,
        inputs: Sequence[torch.Tensor],
        mirrors: Sequence[tuple[int, ...]],
        batch: int,
        heads: Sequence[Head] = (),
        doubted: Sequence[Head] = (),
    ) -> None:
        self._inputs, self._heads = inputs, heads
        self._copies = [(i, axes) for i in range(len(inputs)) for axes in mirrors]
        self._batch, self._count = batch, len(mirrors)
        self._doubts = [Disagreement(doubted) for _ in inputs if doubted]
        self._sums: list[dict[int, torch.Tensor]] = []

    def batches(self) -> Iterator[tuple[list[Copy], torch.Tensor]]:
        """Yield what the next network has to be asked: copies, and them as a batch."""
        self._sums.append({})
        for first in range(0, len(self._copies), self._batch):
            part = self._copies[first : first + self._batch]
            yield part, torch.stack([flip(self._inputs[i], axes) for i, axes in part])

    def add(self, copies: Sequence[Copy], outputs: torch.Tensor) -> None:
        """Take what the network says of a batch, (B, K, *P)."""
        sums = self._sums[-1]
        for (i, axes), output in zip(copies, outputs, strict=True):
            back = _unturned(flip(output, axes), axes, self._heads)
            if self._doubts:
                self._doubts[i].add(back)
            sums[i] = sums[i].add_(back) if i in sums else back

    def means(self) -> Iterator[list[torch.Tensor]]:
        """Yield of each window the mean output of each network, (K, *P)."""
        for place in range(len(self._inputs)):
            outputs = [sums.pop(place).div_(self._count) for sums in self._sums]
            if self._doubts:
                last = self._doubts[place].result()[None]
                outputs = [torch.cat([output, last]) for output in outputs]
            yield outputs


def flip(array: torch.Tensor, axes: Sequence[int]) -> torch.Tensor:
    """Mirror an array (C, *P) along axes of the patch."""
    return torch.flip(array, [axis + 1 for axis in axes]) if axes else array


def _unturned(
    outputs: torch.Tensor, axes: Sequence[int], heads: Sequence[Head]
) -> torch.Tensor:
    """Return outputs (K, *P) of mirrored copies with directions as in the image."""
    first = 0
    for head in heads if axes else ():
        channels = slice(first, first + head.channels)
        for turn in (head.mirrors[axis] for axis in axes if head.mirrors):
            if turn is None:
                raise ValueError(f"{head.name} cannot be mirrored")
            signs = torch.tensor(turn.signs, device=outputs.device)
            signs = signs.view(-1, *(1,) * (outputs.dim() - 1))
            outputs[channels] = outputs[channels][list(turn.sources)] * signs
        first += head.channels
    return outputs
