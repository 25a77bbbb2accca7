"""Cross-entropy that looks at what is hard.

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
class Focal(LabelLoss):
    """Mean cross-entropy of voxels, times (1 - p) to the power of gamma.

    p is the probability of what is said of a voxel, of regions of each region. For
    classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    gamma : float
        0: cross-entropy; the larger, the less easy voxels count.

    References
    ----------
    .. [1] Lin et al., "Focal loss for dense object detection", ICCV 2017.
       doi:10.1109/ICCV.2017.324
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        gamma: float = 2.0,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("focal", gamma=gamma)
        self.gamma = gamma

    def of(self, seen: Seen) -> Tensor:
        wrong = -torch.expm1(-seen.entropy)
        cost = wrong.clamp(min=0) ** self.gamma * seen.entropy
        return self.mean(cost, seen.counts)
