"""The Adaptive Wing loss of heatmaps.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._base import Loss
from autoseg.losses._points import PointLoss, example_target, gaussians

ALPHA, OMEGA, EPSILON, THETA = 2.1, 14.0, 1.0, 0.5  # of the paper
WEIGHT, EDGE = 10.0, 0.2  # voxels with a target above the edge weigh so much more


@LOSSES.register
class AdaptiveWing(PointLoss):
    """Steep near the target where it is high, flat where it is background.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    height : float
        Of the Gaussian: outputs of usual size then make a peak.

    Notes
    -----
    As in the paper, but for the sum over voxels, which is divided by the weights of the
    peak and not by the number of voxels: the loss does not shrink with the patch.

    References
    ----------
    .. [1] Wang, Bo, Fuxin, "Adaptive wing loss for robust face alignment via heatmap
       regression", ICCV 2019. doi:10.1109/ICCV.2019.00707
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sigma: Sequence[float] = (2.0,),
        height: float = 10.0,
    ) -> None:
        super().__init__(batch_dice, sigma=sigma)
        self.height = height

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        heat = gaussians(places, here, shape, self.widths(len(shape)))
        away = (logits / self.height - heat).abs()
        power = ALPHA - heat
        ratio = (THETA / EPSILON) ** power
        slope = OMEGA / (1 + ratio) * power * ratio / THETA
        offset = THETA * slope - OMEGA * torch.log1p(ratio)
        # What is nearer than rounding is there: x ** 1.1 is steep long before x is 0.
        close = OMEGA * torch.log1p((away.clamp(min=1e-6) / EPSILON) ** power)
        cost = torch.where(away < THETA, close, slope * away - offset)
        cost = cost * torch.where(heat > EDGE, WEIGHT + 1, 1.0)
        near = 1.0
        for width in self.widths(len(shape)):
            near *= 2 * width + 1
        return cost.flatten(2).sum(2) / ((WEIGHT + 1) * OMEGA * near)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, 10 * heat
