"""Between cross-entropy and the absolute error.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen


@LOSSES.register
class GeneralizedCrossEntropy(LabelLoss):
    """Mean of (1 - p ** q) / q, p the probability of what is said of a voxel.

    With q near 0 it is cross-entropy; with 1 the absolute error, which wrong labels
    harm least and which learns slowest. For classes that exclude each other, and for
    regions.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    q : float
        More than 0, up to 1.

    References
    ----------
    .. [1] Zhang, Sabuncu, "Generalized cross entropy loss for training deep neural
       networks with noisy labels", NeurIPS 2018. arXiv:1805.07836
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        q: float = 0.7,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        if not 0 < q <= 1:
            raise PlanError(f"generalized_ce: q is {q}; give more than 0, up to 1.")
        self.q = q

    def of(self, seen: Seen) -> Tensor:
        return self.mean(-torch.expm1(-self.q * seen.entropy) / self.q, seen.counts)
