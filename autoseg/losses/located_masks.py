"""Masks of which several may stand for one object: each is compared with its own.

Legend: B batch, Q masks, P patch, L layers, M objects, N voxels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._compared import ComparedMasks
from autoseg.losses._masks import SMOOTH

LIKE = 0.5  # Dice from which on a mask is taken to be meant for an object
UNLIKE = 0.25  # Dice below which it is meant for none


@LOSSES.register
class LocatedMasks(ComparedMasks):
    """Cross-entropy and Dice of masks, and how sure each is; nothing is matched.

    A mask stands for the object that it is most like, if it is like it at all, and each
    object at least for the mask that is most like it: which mask tells of an object is
    a matter of where it comes from, so several may [1]_. Masks that are like none are
    to be unsure; a mask is as sure as the voxel that it is the surest of.

    Of maps that voxels of a coarse resolution tell of, (B, *T, *S), each voxel's is
    compared with the object that it is of alone.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    sure, entropy, dice : float
        Weights of how sure masks are, of their cross-entropy, and of their Dice.
    empty : float
        Weight of a mask that stands for none, beside one that does.
    even : bool
        In cross-entropy a voxel inside counts as one outside, for its share of the
        object; else inside and outside have equal parts.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Wang et al., "SOLOv2: dynamic and fast instance segmentation", NeurIPS 2020.
       arXiv:2003.10152
    """

    @torch.no_grad()
    def stands(
        self, logits: Tensor, sure: Tensor, objects: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        of, alike = _meant(logits, objects)
        rows = (of >= 0).nonzero()[:, 0]
        return rows, of[rows], (alike >= UNLIKE).nonzero()[:, 0]


def _meant(logits: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """Return which object each mask stands for, (Q,), -1: none; and how like it is."""
    truth, p = objects.to(logits.dtype), logits.sigmoid()
    sums = p.sum(1)[:, None] + truth.sum(1)
    alike = (2 * (p @ truth.T) + SMOOTH) / (sums + SMOOTH)
    best, of = alike.max(1)
    found = torch.where(best >= LIKE, of, -1)
    # Each object has a mask: of those that stand for none, the one most like it.
    for number in range(truth.shape[0]):
        if not (found == number).any():
            left = torch.where(found < 0, alike[:, number], -1.0)
            if left.max() >= 0:
                found[left.argmax()] = number
    return found, best
