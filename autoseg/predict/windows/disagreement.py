"""How far opinions about one window disagree, voxel by voxel.

The disagreement of a voxel is the sum over the classes of the variance of their
probabilities. If every opinion were certain, that would be the probability that two of
them, drawn at random, differ. An opinion that is alone has nobody to differ from: its
probabilities p are taken for shares of certain opinions, which gives the sum of
p (1 - p).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autoseg.spec.head import Head


class Disagreement:
    """Sums over the opinions about one window.

    Parameters
    ----------
    heads : sequence of Head
        Of the network; each with a softmax or a sigmoid.
    """

    def __init__(self, heads: Sequence[Head]) -> None:
        self._heads = heads
        self._count = 0
        self._sum: torch.Tensor | None = None
        self._squares: torch.Tensor | None = None

    def add(self, logits: torch.Tensor) -> None:
        """Take one opinion, logits (K, *P)."""
        parts = logits.float().split([head.channels for head in self._heads])
        shares = torch.cat(
            [
                torch.softmax(part, dim=0)
                if head.activation == "softmax"
                else torch.sigmoid(part)
                for head, part in zip(self._heads, parts, strict=True)
            ]
        )
        self._count += 1
        squares = (shares * shares).sum(dim=0)
        self._sum = shares if self._sum is None else self._sum.add_(shares)
        if self._squares is None:
            self._squares = squares
        else:
            self._squares += squares

    def result(self) -> torch.Tensor:
        """Return the disagreement of all opinions, (*P), from 0 to 1."""
        if self._sum is None or self._squares is None:
            raise ValueError("there is no opinion yet")
        if self._count == 1:
            return (self._sum.sum(dim=0) - self._squares).clamp_(0, 1)
        mean = self._sum / self._count
        variance = self._squares / self._count - (mean * mean).sum(dim=0)
        return variance.clamp_(0, 1)
