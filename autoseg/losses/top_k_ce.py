"""Cross-entropy over the hardest voxels.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen


@LOSSES.register
class TopKCrossEntropy(LabelLoss):
    """Mean cross-entropy of the share of each sample's voxels where it is largest.

    For classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    share : float
        Of the voxels that count; nnU-Net's variant takes 0.1.

    References
    ----------
    .. [1] Wu et al., "Bridging category-level and instance-level semantic image
       segmentation", 2016. arXiv:1605.06885
    .. [2] Ma et al., "Loss odyssey in medical image segmentation", Medical Image
       Analysis 71, 2021. doi:10.1016/j.media.2021.102035
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        share: float = 0.1,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        if not 0 < share <= 1:
            raise PlanError(f"top_k_ce: share is {share}; give more than 0, up to 1.")
        self.share = share

    def of(self, seen: Seen) -> Tensor:
        cost = (seen.entropy * seen.counts).flatten(1)
        counts = (self.share * seen.counts.flatten(1).sum(1)).round().long()
        hardest = [
            row.topk(max(1, int(count))).values
            for row, count in zip(cost, counts, strict=True)
        ]
        total, number = self.batch.total(
            torch.stack([row.mean() for row in hardest]).sum(),
            cost.new_tensor(len(hardest)),
        )
        return total / number.clamp(min=1)
