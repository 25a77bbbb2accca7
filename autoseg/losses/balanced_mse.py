"""Squared error of heatmaps, peaks and background in balance.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import PointLoss, example_target, gaussians, in_balance


@LOSSES.register
class BalancedSquares(PointLoss):
    """Mean squared difference to a Gaussian, plus the same where the Gaussian is.

    See `autoseg.losses.points.in_balance`. With weights that are fixed, such as the
    40 ** target of FARNet (Ao, Wu, doi:10.1016/j.media.2023.102961), a peak of a few
    voxels is lost in a large patch: docs/landmark.md has figures.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    height : float
        Of the Gaussian: outputs of usual size then make a peak.
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
        return in_balance((logits / self.height - heat) ** 2, places, here, self)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, 10 * heat
