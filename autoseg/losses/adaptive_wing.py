"""The Adaptive Wing loss of heatmaps.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import PointLoss, example_target, gaussians, in_balance

ALPHA, OMEGA, EPSILON, THETA = 2.1, 14.0, 1.0, 0.5  # of the paper


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
    Of each voxel as in the paper, in parts of omega; the paper's weight of 10 of voxels
    near a peak is replaced by `autoseg.losses.points.in_balance`.

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
        return in_balance(cost / OMEGA, places, here, self)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, 10 * heat
