"""Squared error of heatmaps, with more weight on the peaks.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._base import Loss
from autoseg.losses._points import PointLoss, example_target, gaussians


@LOSSES.register
class WeightedSquares(PointLoss):
    """Weighted mean of squared differences to a Gaussian.

    A plain mean over voxels is nearly 0 for an empty heatmap. Here each voxel weighs
    ``base ** t`` where the target is t, and the sum is divided by the weight of a peak,
    so that the loss does not shrink with the patch.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    base : float
        Weight of a peak's highest voxel; FARNet's exponential weighted center loss
        takes 40 (Ao, Wu, doi:10.1016/j.media.2023.102961).
    height : float
        Of the Gaussian: outputs of usual size then make a peak.
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sigma: Sequence[float] = (2.0,),
        base: float = 40.0,
        height: float = 10.0,
    ) -> None:
        super().__init__(batch_dice, sigma=sigma)
        self.base = base
        self.height = height

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        heat = gaussians(places, here, shape, self.widths(len(shape)))
        square = (logits / self.height - heat) ** 2
        near = 1.0
        for width in self.widths(len(shape)):
            near *= 2 * width + 1
        return (self.base**heat * square).flatten(2).sum(2) / (self.base * near)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        return loss, target, 10 * heat
