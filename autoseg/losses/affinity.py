"""Soft Dice of affinities and of their opposites, channel by channel.

Legend: B batch, C channels, S spatial shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

SMOOTH = 1e-5


@LOSSES.register
class Affinity(Loss):
    """One minus the mean soft Dice of being the same and of not being the same.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch.
    ignore_index : int, optional
        If given, affinities whose target is NaN do not count.

    References
    ----------
    .. [1] Wolf et al., "The mutex watershed", ECCV 2018: Dice is robust where few
       pairs are apart. doi:10.1007/978-3-030-01225-0_34
    """

    sums_up = True

    def __init__(
        self, batch_dice: bool = False, *, ignore_index: int | None = None
    ) -> None:
        super().__init__()
        self.batch_dice = batch_dice
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        kind = precise(logits)
        p, g = logits.to(kind).sigmoid().flatten(2), target.to(kind).flatten(2)
        q, h = 1 - p, 1 - g
        if self.ignore_index is not None:
            counted = ~g.isnan()
            g, h = g.nan_to_num(), h.nan_to_num()
            p, q = p * counted, q * counted
        same, apart = self._dice(p, g), self._dice(q, h)
        return 1 - (same + apart) / 2

    def _dice(self, p: Tensor, g: Tensor) -> Tensor:
        axes = (0, 2) if self.batch_dice else (2,)
        overlap, predicted, reference = (x.sum(axes) for x in (p * g, p, g))
        if self.batch_dice:
            overlap, predicted, reference = self.batch.total(
                overlap, predicted, reference
            )
        dice = (2 * overlap + SMOOTH) / (predicted + reference + SMOOTH)
        if self.batch_dice:
            return dice.mean()
        total, count = self.batch.total(dice.sum(), dice.new_full((), dice.numel()))
        return total / count

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 3, 6, 8))
        target[:, 0, 1:3, 2:5] = 1.0
        target[:, 1, 4:, 5:] = 1.0
        target[:, 2, :, ::2] = 1.0
        return cls(), target, target * 400 - 200
