"""Cross-entropy that wrong annotations harm less.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen
from autoseg.losses._tversky import check_weights


@LOSSES.register
class SymmetricCrossEntropy(LabelLoss):
    """Cross-entropy, and cross-entropy the other way round.

    The second one, with the log of 0 set to ``log_of_zero``, is its absolute value
    times the probability of all that is not said: it is bounded, so that a voxel with a
    wrong label cannot pull for ever. For classes that exclude each other, and regions.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    alpha, beta : float
        Weights of the two.
    log_of_zero : float
        Less than 0.

    References
    ----------
    .. [1] Wang et al., "Symmetric cross entropy for robust learning with noisy labels",
       ICCV 2019. doi:10.1109/ICCV.2019.00041
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        alpha: float = 0.1,
        beta: float = 1.0,
        log_of_zero: float = -4.0,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("symmetric_ce", alpha=alpha, beta=beta)
        self.alpha = alpha
        self.beta = beta
        self.log_of_zero = log_of_zero

    def of(self, seen: Seen) -> Tensor:
        other = -self.log_of_zero * -torch.expm1(-seen.entropy)
        return self.mean(self.alpha * seen.entropy + self.beta * other, seen.counts)
