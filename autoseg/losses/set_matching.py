"""Masks that are matched with objects one to one, and then compared with them.

Legend: B batch, Q queries, P patch, L layers, M objects, N voxels.
"""

from __future__ import annotations

import numpy as np
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

POINTS = 4096  # voxels, evenly spread, that matching looks at


@LOSSES.register
class SetMatching(Loss):
    """Cross-entropy and Dice of each object's mask, and how sure each query is.

    Objects and queries are matched one to one with the least sum of costs by the
    Hungarian method [1]_: how unsure the query is, and cross-entropy and Dice of its
    mask with the object. Then the masks of matched queries are compared with their
    objects, and of all queries, how sure they are, with whether they were matched [2]_.

    Of maps that voxels of a coarse resolution tell of, (B, *T, *S), each voxel's is
    compared with the object that it is of alone: there is nothing to match.

    A query is as sure of an object as of the voxel that it is the surest of, so that
    the map of one that stands for none is empty.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    sure : float
        Weight of how sure queries are, in matching and loss.
    entropy : float
        Weight of the masks' cross-entropy.
    dice : float
        Weight of their Dice.
    empty : float
        Weight of a query that was not matched, beside one that was.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Carion et al., "End-to-end object detection with transformers", ECCV 2020.
       arXiv:2005.12872
    .. [2] Cheng et al., "Masked-attention mask transformer for universal image
       segmentation", CVPR 2022. arXiv:2112.01527
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
            A map for each query, or for each voxel of a coarse resolution.
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
            if len(objects):
                rows, columns = self._match(own, sure, objects)
                wanted[rows] = 1.0
                masks = (
                    masks
                    + mask_losses(
                        own[rows], objects[columns], self.entropy, self.dice
                    ).sum()
                )
                count += len(rows)
            weight = torch.where(wanted > 0, 1.0, self.empty)
            told = told + binary_cross_entropy_with_logits(
                sure, wanted, weight, reduction="sum"
            )
            total = total + weight.sum()
        return self.sure * told / total.clamp(min=1) + masks / max(1, count)

    @torch.no_grad()
    def _match(
        self, logits: Tensor, sure: Tensor, objects: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return which query (of Q) stands for which object (of M)."""
        from scipy.optimize import linear_sum_assignment

        step = max(1, logits.shape[1] // POINTS)
        some, truth = logits[:, ::step], objects[:, ::step].to(logits.dtype)
        p = some.sigmoid()
        inside, outside = truth.sum(1), (1 - truth).sum(1)
        # Of logits x, the cross-entropy is softplus(x) - x where the object is.
        soft = torch.nn.functional.softplus(some)
        mine = (soft - some) @ truth.T / inside.clamp(min=1)
        rest = soft @ (1 - truth).T / outside.clamp(min=1)
        both = p @ truth.T
        dice = (2 * both + SMOOTH) / (p.sum(1)[:, None] + inside + SMOOTH)
        cost = self.entropy * (mine + rest) / 2 - self.dice * dice
        cost -= self.sure * sure.sigmoid()[:, None]
        found = linear_sum_assignment(np.asarray(cost.double().cpu()))
        rows, columns = (torch.from_numpy(x).to(logits.device) for x in found)
        return rows, columns

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 6, 8), dtype=torch.int32)
        target[:, 0, 1:4, 1:5] = 1
        target[:, 1, 2:5, 3:7] = 7  # shares voxels with the first
        perfect = torch.full((2, 3, 6, 8), -200.0)
        perfect[:, 0][target[:, 0] == 1] = 200.0
        perfect[:, 2][target[:, 1] == 7] = 200.0
        return cls(), target, perfect
