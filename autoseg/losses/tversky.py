"""Dice with weights for what is too much and what is missing.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen
from autoseg.losses._tversky import check_weights, mean_tversky


@LOSSES.register
class Tversky(LabelLoss):
    """Minus the mean Tversky index of the foreground.

    TP / (TP + alpha FP + beta FN), in soft counts; with both 0.5 it is Dice. More beta
    finds more of what is small and rare, and more that is not there.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    alpha, beta : float
        Weights of what is predicted too much, and of what is missing.

    References
    ----------
    .. [1] Salehi et al., "Tversky loss function for image segmentation using 3D fully
       convolutional deep networks", MLMI 2017. doi:10.1007/978-3-319-67389-9_44
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        alpha: float = 0.3,
        beta: float = 0.7,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("tversky", alpha=alpha, beta=beta)
        self.alpha = alpha
        self.beta = beta

    def of(self, seen: Seen) -> Tensor:
        return -mean_tversky(self, seen, self.alpha, self.beta)
