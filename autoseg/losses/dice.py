"""Soft Dice alone.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Seen, mean_dice


@LOSSES.register
class SoftDice(LabelLoss):
    """Minus the mean soft Dice of the foreground.

    The best value is -1. For classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.

    References
    ----------
    .. [1] Milletari et al., "V-Net: fully convolutional neural networks for volumetric
       medical image segmentation", 3DV 2016. doi:10.1109/3DV.2016.79. With the sums of
       Drozdzal et al., 2016, as `dice_ce` has them.
    """

    def of(self, seen: Seen) -> Tensor:
        return -mean_dice(seen, self.batch_dice, self.batch)
