"""Masks that stand for objects, and are compared with them: what such losses share.

Legend: B batch, Q masks, T voxels that tell of masks, N voxels, L layers, M objects, P
patch, S shape of a resolution, R numbers of an answer.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses._dice import precise
from autoseg.losses._masks import (
    Weights,
    counted,
    first_look,
    mask_losses,
    objects_of,
    only,
)
from autoseg.losses._told import told_masks
from autoseg.losses.base import Loss


class ComparedMasks(Loss):
    """Cross-entropy and Dice of masks that stand for objects, and how sure each is.

    What differs between losses is which masks stand for which objects: see `stands`.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    sure, entropy, dice : float
        Weights of how sure masks are, of their cross-entropy, and of their Dice.
    empty : float
        Weight of a mask that stands for none, beside one that does.
    even : bool
        In cross-entropy a voxel inside counts as one outside; see `Weights`.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.
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
        even: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.weights = Weights(sure, entropy, dice, even)
        self.sure, self.entropy, self.dice = sure, entropy, dice
        self.empty, self.ignore_index = empty, ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, Q, *P), (B, *T, *S) or (B, R + 1, 2 T + N)
            A map for each mask, or for each voxel of a coarse resolution, or what maps
            are made of that voxels tell of: see `told_masks`.
        target : Tensor of int, shape (B, L, *P)
            Ids of objects, none of which overlap within a layer.
        """
        logits = logits.to(precise(logits))
        if logits.dim() > target.dim():
            return first_look(logits, target, self.ignore_index, self.weights)
        if logits.dim() < target.dim():
            with torch.autocast(logits.device.type, enabled=False):
                return told_masks(logits, target, self.ignore_index, self.weights)
        logits, target = logits.flatten(2), target.flatten(2)
        masks = told = total = logits.new_zeros(())
        count = 0
        for own, layers in zip(logits, target, strict=True):
            seen = counted(layers, self.ignore_index)
            if not seen.any():
                masks = masks + 0 * own.sum()
                continue
            objects, own = only(objects_of(layers), seen), only(own, seen)
            sure = own.amax(1)
            wanted = torch.zeros_like(sure)
            weight = torch.full_like(sure, self.empty)
            if len(objects):
                rows, columns, out = self.stands(own, sure, objects)
                pairs = own.index_select(0, rows), objects.index_select(0, columns)
                masks = masks + mask_losses(*pairs, self.weights).sum()
                count += len(rows)
                wanted[rows] = 1.0
                weight[out] = 0.0
                weight[rows] = 1.0
            told = told + binary_cross_entropy_with_logits(
                sure, wanted, weight, reduction="sum"
            )
            total = total + weight.sum()
        return self.sure * told / total.clamp(min=1) + masks / max(1, count)

    @abstractmethod
    def stands(
        self, logits: Tensor, sure: Tensor, objects: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return which masks stand for which objects, and which count for nothing.

        Parameters
        ----------
        logits : Tensor, shape (Q, N)
            Of the masks, in the voxels that count.
        sure : Tensor, shape (Q,)
            The largest logit of each.
        objects : Tensor of bool, shape (M, N)

        Returns
        -------
        rows, columns : Tensor of int
            Masks, and the object of each.
        out : Tensor of int
            Masks that need be neither sure nor unsure; some may be in ``rows``.
        """

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 6, 8), dtype=torch.int32)
        target[:, 0, 1:4, 1:5] = 1
        target[:, 1, 2:5, 3:7] = 7  # shares voxels with the first
        perfect = torch.full((2, 3, 6, 8), -200.0)
        perfect[:, 0][target[:, 0] == 1] = 200.0
        perfect[:, 2][target[:, 1] == 7] = 200.0
        return cls(), target, perfect
