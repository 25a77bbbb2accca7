"""Smooth absolute error of heatmaps, with more weight on the peaks.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import PointLoss, example_target, gaussians, in_balance


@LOSSES.register
class SmoothAbsolute(PointLoss):
    """Huber's loss to a Gaussian: squares near 0, absolute values beyond.

    Peaks and background are in balance: `autoseg.losses.points.in_balance`.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    beta : float
        Where squares end, of the peak's height.
    height : float
        Of the Gaussian: outputs of usual size then make a peak.

    References
    ----------
    .. [1] Huber, "Robust estimation of a location parameter", 1964.
       doi:10.1214/aoms/1177703732
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sigma: Sequence[float] = (2.0,),
        beta: float = 0.1,
        height: float = 10.0,
    ) -> None:
        super().__init__(batch_dice, sigma=sigma)
        self.beta, self.height = beta, height

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        heat = gaussians(places, here, shape, self.widths(len(shape)))
        cost = functional.smooth_l1_loss(
            logits / self.height, heat, reduction="none", beta=self.beta
        )
        return in_balance(cost, places, here, self)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, 10 * heat
