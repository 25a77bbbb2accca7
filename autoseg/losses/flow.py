"""Mean squared error of directions, where there are any.

Legend: B batch, D axes, S spatial shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import precise
from autoseg.losses.base import Loss


@LOSSES.register
class Flow(Loss):
    """Squared length of the difference of two vectors, over voxels with a direction.

    Voxels whose target is 0 are background and do not count.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    weight : float
        Factor of the loss; 5 as in Cellpose [1]_, whose error is halved.
    ignore_index : int, optional
        If given, voxels whose target is NaN do not count.

    References
    ----------
    .. [1] Stringer et al., "Cellpose: a generalist algorithm for cellular
       segmentation", Nature Methods 18, 2021. doi:10.1038/s41592-020-01018-x
    """

    sums_up = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        weight: float = 2.5,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        kind = precise(logits)
        target = target.to(kind)
        if self.ignore_index is not None:
            target = target.nan_to_num()
        counted = target.abs().amax(1) > 0
        error = (logits.to(kind) - target).square().sum(1)
        total = torch.where(counted, error, torch.zeros_like(error)).sum()
        total, count = self.batch.total(total, counted.sum())
        return self.weight * total / count.clamp(min=1)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 6, 8))
        target[:, 0, 1:3, 2:5] = 1.0
        target[:, 1, 4:, 5:] = -0.5
        return cls(), target, target.clone()
