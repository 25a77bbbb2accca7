"""Masks of which several may stand for one object: each is compared with its own.

Legend: B batch, Q masks, P patch, L layers, M objects, N voxels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses import LOSSES
from autoseg.losses._dice import precise
from autoseg.losses._masks import (
    SMOOTH,
    counted,
    first_look,
    mask_losses,
    objects_of,
)
from autoseg.losses.base import Loss

LIKE = 0.5  # Dice from which on a mask is taken to be meant for an object
UNLIKE = 0.25  # Dice below which it is meant for none


@LOSSES.register
class LocatedMasks(Loss):
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
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Wang et al., "SOLOv2: dynamic and fast instance segmentation", NeurIPS 2020.
       arXiv:2003.10152
    """

    takes_layers = True
    rounds = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sure: float = 1.0,
        entropy: float = 2.0,
        dice: float = 2.0,
        empty: float = 0.2,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.sure, self.entropy, self.dice = sure, entropy, dice
        self.empty, self.ignore_index = empty, ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, Q, *P) or (B, *T, *S)
            A map for each mask, or for each voxel of a coarse resolution.
        target : Tensor of int, shape (B, L, *P)
            Ids of objects, none of which overlap within a layer.
        """
        logits = logits.to(precise(logits))
        if logits.dim() > target.dim():
            weights = (self.sure, self.entropy, self.dice)
            return first_look(logits, target, self.ignore_index, weights)
        logits, target = logits.flatten(2), target.flatten(2)
        masks = told = total = logits.new_zeros(())
        count = 0
        for own, layers in zip(logits, target, strict=True):
            seen = counted(layers, self.ignore_index)
            if not seen.any():
                masks = masks + 0 * own.sum()
                continue
            objects, own = objects_of(layers)[:, seen], own[:, seen]
            sure = own.amax(1)
            wanted = torch.zeros_like(sure)
            weight = torch.full_like(sure, self.empty)
            if len(objects):
                of, alike = _meant(own, objects)
                meant = of >= 0
                pairs = objects[of[meant]]
                masks = (
                    masks
                    + mask_losses(own[meant], pairs, self.entropy, self.dice).sum()
                )
                count += int(meant.sum())
                wanted[meant] = 1.0
                weight[(alike >= UNLIKE) & ~meant] = 0.0
                weight[meant] = 1.0
            told = told + binary_cross_entropy_with_logits(
                sure, wanted, weight, reduction="sum"
            )
            total = total + weight.sum()
        return self.sure * told / total.clamp(min=1) + masks / max(1, count)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 6, 8), dtype=torch.int32)
        target[:, 0, 1:4, 1:5] = 1
        target[:, 1, 2:5, 3:7] = 7  # shares voxels with the first
        perfect = torch.full((2, 3, 6, 8), -200.0)
        perfect[:, 0][target[:, 0] == 1] = 200.0
        perfect[:, 2][target[:, 1] == 7] = 200.0
        return cls(), target, perfect


@torch.no_grad()
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
