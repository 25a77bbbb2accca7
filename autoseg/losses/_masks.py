"""Masks that are compared with objects: what losses of whole masks share.

Legend: B batch, Q masks, T voxels that tell of masks, N voxels, L layers, M objects.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

SMOOTH = 1.0
MOST_TOLD = 256  # voxels of a sample whose masks are compared, evenly spread


def objects_of(layers: Tensor) -> Tensor:
    """Return the masks (M, N) of all objects in layers (L, N)."""
    found = [
        layer[None] == ids[:, None]
        for layer in layers
        for ids in [torch.unique(layer[layer > 0])]
    ]
    return torch.cat(found)


def mask_losses(logits: Tensor, objects: Tensor, entropy: float, dice: float) -> Tensor:
    """Return how far masks (M, N) are from an object each, (M,).

    Parameters
    ----------
    logits : Tensor, shape (M, N)
        Of the masks.
    objects : Tensor of bool, shape (M, N)
        The objects.
    entropy, dice : float
        Weights of cross-entropy, inside and outside in equal parts since most voxels
        are far from an object and easy, and of Dice.
    """
    truth = objects.to(logits.dtype)
    terms = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    here, all_here = (terms * truth).sum(1), truth.sum(1)
    inside = here / all_here.clamp(min=1)
    outside = (terms.sum(1) - here) / (truth.shape[1] - all_here).clamp(min=1)
    p = logits.sigmoid()
    shared = (2 * (p * truth).sum(1) + SMOOTH) / (p.sum(1) + all_here + SMOOTH)
    return entropy * (inside + outside) / 2 + dice * (1 - shared)


def first_look(
    logits: Tensor,
    target: Tensor,
    ignore_index: int | None,
    weights: tuple[float, float, float],
) -> Tensor:
    """Return the loss of masks that voxels tell of: each of its own object.

    A voxel that is of one object alone has to tell of that, and one that is of none has
    to tell of an empty mask. Of voxels that several share nothing is asked.

    Parameters
    ----------
    logits : Tensor, shape (B, *T, *S)
        For each voxel of a coarse resolution, a map in a resolution S.
    target : Tensor of int, shape (B, L, *P)
        Ids of objects in the finest resolution, none of which overlap within a layer.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.
    weights : tuple of float, length 3
        Of how sure voxels are, of cross-entropy, and of Dice.
    """
    axes = target.dim() - 2
    told_of = at_coarse(target, logits.shape[1 : 1 + axes]).flatten(2)
    target = at_coarse(target, logits.shape[1 + axes :]).flatten(2)
    logits = logits.flatten(axes + 1).flatten(1, axes)
    told = masks = logits.new_zeros(())
    count = 0
    for maps, layers, own in zip(logits, target, told_of, strict=True):
        seen, known = counted(layers, ignore_index), counted(own, ignore_index)
        if not seen.any():
            told = told + 0 * maps.sum()
            continue
        maps = maps[:, seen]
        told = told + sure_loss(maps.amax(1), (own > 0).sum(0), known)
        ask = ((own > 0).sum(0) == 1).logical_and(known).nonzero()[:, 0]
        ask = ask[:: max(1, -(-len(ask) // MOST_TOLD))]
        if not len(ask):
            continue
        owner = own[:, ask].amax(0)
        truth = (layers[:, None, seen] == owner[:, None]).any(0)
        masks = masks + mask_losses(maps[ask], truth, *weights[1:]).sum()
        count += len(ask)
    return weights[0] * told / len(logits) + masks / max(1, count)


def sure_loss(sure: Tensor, several: Tensor, seen: Tensor) -> Tensor:
    """Return how wrong voxels are about being one object's own.

    Parameters
    ----------
    sure : Tensor
        Logits.
    several : Tensor of int, the same shape
        How many objects have each voxel. Where it is one, they are to be sure, where it
        is none, not to be; both count alike.
    seen : Tensor of bool, the same shape
        Which voxels count.
    """
    total = sure.new_zeros(())
    for where, wanted in ((several == 1, 1.0), (several == 0, 0.0)):
        these = sure[where & seen]
        if len(these):
            truth = torch.full_like(these, wanted)
            total = total + binary_cross_entropy_with_logits(these, truth) / 2
    return total


def at_coarse(target: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a target (B, L, *P) at the middles of a coarser grid, (B, L, *shape)."""
    found = target
    for axis, (fine, coarse) in enumerate(
        zip(target.shape[2:], shape, strict=True), start=2
    ):
        at = ((torch.arange(coarse, device=target.device) + 0.5) * fine / coarse).long()
        found = found.index_select(axis, at)
    return found


def counted(layers: Tensor, ignore_index: int | None) -> Tensor:
    """Return which voxels of layers (L, N) count."""
    if ignore_index is None:
        return torch.ones_like(layers[0], dtype=torch.bool)
    return (layers != ignore_index).any(0)


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
                rows, columns, out = self.stands(own, sure, objects)
                pairs = own[rows], objects[columns]
                masks = masks + mask_losses(*pairs, self.entropy, self.dice).sum()
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
