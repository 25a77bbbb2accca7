"""Smooth absolute error of a map of distances.

Legend: B batch, C channels, S spatial shape.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.losses import LOSSES
from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

KNEE = 0.1  # errors smaller than this count by their square


@LOSSES.register
class Distance(Loss):
    """Smooth L1 error; inside of instances and outside weigh the same together.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    weight : float
        Factor of the loss.
    inside : bool
        Only voxels whose target is not 0 count.
    ignore_index : int, optional
        If given, voxels whose target is NaN do not count.
    """

    sums_up = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        weight: float = 1.0,
        inside: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.weight = weight
        self.inside = inside

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        kind = precise(logits)
        target = target.to(kind)
        unknown = None
        if self.ignore_index is not None:
            unknown = target.isnan().any(1)
            target = target.nan_to_num()
        error = functional.smooth_l1_loss(
            logits.to(kind), target, reduction="none", beta=KNEE
        ).mean(1)
        found = target.abs().amax(1) > 0
        loss = self._mean(error, found)
        if not self.inside:
            rest = ~found if unknown is None else ~(found | unknown)
            loss = loss + self._mean(error, rest)
        return self.weight * loss

    def _mean(self, error: Tensor, where: Tensor) -> Tensor:
        kept = torch.where(where, error, torch.zeros_like(error))
        total, count = self.batch.total(kept.sum(), where.sum())
        return total / count.clamp(min=1)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 1, 6, 8))
        target[:, 0, 1:4, 2:5] = 0.5
        target[:, 0, 2, 3] = 1.0
        return cls(), target, target.clone()
