"""The Tversky index with more weight on classes that are hard.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen
from autoseg.losses._tversky import check_weights, mean_tversky

CLOSE = 1e-6


@LOSSES.register
class FocalTversky(LabelLoss):
    """Mean of (1 - Tversky index) to the power of 1 / gamma, of the foreground.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    alpha, beta : float
        Weights of what is predicted too much, and of what is missing.
    gamma : float
        More than 1: a class of which little is found counts more than one of which
        nearly all is.

    References
    ----------
    .. [1] Abraham, Khan, "A novel focal Tversky loss function with improved attention
       U-Net for lesion segmentation", ISBI 2019. doi:10.1109/ISBI.2019.8759329
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
        gamma: float = 4 / 3,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("focal_tversky", alpha=alpha, beta=beta, gamma=gamma)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma

    def of(self, seen: Seen) -> Tensor:
        return mean_tversky(
            self,
            seen,
            self.alpha,
            self.beta,
            # Steeper and steeper towards 0: what is nearer than rounding is there.
            lambda index: (1 - index).clamp(min=CLOSE) ** (1 / self.gamma),
        )
