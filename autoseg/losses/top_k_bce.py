"""Binary cross-entropy of heatmaps, over the hardest voxels.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import PointLoss, example_target, gaussians

FAR = 1e-4  # what a heatmap's background starts with


@LOSSES.register
class TopKBinaryCrossEntropy(PointLoss):
    """Mean binary cross-entropy of the share of voxels where it is largest.

    The sigmoid of an output is to be a Gaussian of height 1, and 0 throughout for an
    absent point. The least value is subtracted: a perfect output costs nothing.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    share : float
        Of the voxels that count, those with the largest loss; nnLandmark takes 0.2.
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sigma: Sequence[float] = (2.0,),
        share: float = 0.2,
    ) -> None:
        super().__init__(batch_dice, sigma=sigma)
        if not 0 < share <= 1:
            raise PlanError(f"top_k_bce: share is {share}; give more than 0, up to 1.")
        self.share = share

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        heat = gaussians(places, here, shape, self.widths(len(shape))).clamp(max=1)
        cost = functional.binary_cross_entropy_with_logits(
            logits, heat, reduction="none"
        )
        least = functional.binary_cross_entropy(heat, heat, reduction="none")
        flat = (cost - least).flatten(2)
        count = max(1, round(self.share * flat.shape[2]))
        return flat.topk(count, dim=2).values.mean(2)

    def start_bias(self, patch: Sequence[int]) -> float:
        return math.log(FAR / (1 - FAR))

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, heat.double().clamp(1e-12, 1 - 1e-12).logit().float()
