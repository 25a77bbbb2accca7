"""Dice of all classes together, small ones weighing as much as large ones.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import SMOOTH
from autoseg.losses._labels import LabelLoss, Seen

TINY = 1e-30  # nothing counts


@LOSSES.register
class GeneralizedDice(LabelLoss):
    """One minus the generalized Dice of the foreground.

    One ratio for all classes: each weighs by one over its squared size, so that a small
    one counts as much. A class that is not there weighs as much as the smallest that
    is. For classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.

    References
    ----------
    .. [1] Sudre et al., "Generalised Dice overlap as a deep learning loss function for
       highly unbalanced segmentations", DLMIA 2017. doi:10.1007/978-3-319-67558-9_28
    """

    def of(self, seen: Seen) -> Tensor:
        p, g, counts = seen.p * seen.known, seen.g, seen.spoken_of
        overlap = (p * g).sum(2) * counts
        predicted, reference = p.sum(2) * counts, g.sum(2) * counts
        if self.batch_dice:
            sums = (overlap, predicted, reference, counts)
            overlap, predicted, reference, counts = self.batch.total(
                *(one.sum(0, keepdim=True) for one in sums)
            )
        weights = 1 / reference.clamp(min=1).square()
        # 1 for an absent class would be far more than any other class has.
        there = torch.where(reference > 0, weights, 0.0).amax(1, keepdim=True)
        absent = torch.where(there > 0, there, 1.0).expand_as(weights)
        weights = torch.where(reference > 0, weights, absent) * (counts > 0)
        above = 2 * (weights * overlap).sum(1)
        below = (weights * (predicted + reference)).sum(1)
        counted = (counts > 0).any(1).to(above.dtype)
        least = SMOOTH * weights.amax(1)
        lost = (1 - (above + least) / (below + least).clamp(min=TINY)) * counted
        total, number = lost.sum(), counted.sum()
        if not self.batch_dice:
            total, number = self.batch.total(total, number)
        return total / number.clamp(min=1)
