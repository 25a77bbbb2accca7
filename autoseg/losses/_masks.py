"""Masks that are compared with objects: what losses of whole masks share.

Legend: B batch, Q masks, T voxels that tell of masks, N voxels, L layers, M objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

SMOOTH = 1.0
LEAST = 4  # voxels of an object, of which each counts as much as it is of that
MOST_TOLD = 256  # voxels of a sample whose masks are compared, evenly spread


def objects_of(layers: Tensor) -> Tensor:
    """Return the masks (M, N) of all objects in layers (L, N)."""
    found = [
        layer[None] == ids[:, None]
        for layer in layers
        for ids in [torch.unique(layer[layer > 0])]
    ]
    return torch.cat(found)


class Weights(NamedTuple):
    """What counts how much of masks.

    Parameters
    ----------
    sure : float
        How sure a mask is of its object.
    entropy, dice : float
        Cross-entropy and Dice.
    even : bool
        In cross-entropy a voxel inside counts as one outside, for its share of the
        object: a border lies where it is as likely as not. Else inside and outside have
        equal parts, so that a voxel inside counts many times as much, and masks are too
        wide where a border is not known for sure.
    """

    sure: float
    entropy: float
    dice: float
    even: bool = False


def mask_losses(logits: Tensor, objects: Tensor, weights: Weights) -> Tensor:
    """Return how far masks (M, N) are from an object each, (M,).

    Parameters
    ----------
    logits : Tensor, shape (M, N)
        Of the masks.
    objects : Tensor of bool, shape (M, N)
        The objects.
    weights : Weights
        Of cross-entropy and Dice.
    """
    truth = objects.to(logits.dtype)
    terms = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    all_here = truth.sum(1)
    if weights.even:
        wrong = terms.sum(1) / all_here.clamp(min=LEAST)
    else:
        here = (terms * truth).sum(1)
        inside = here / all_here.clamp(min=1)
        outside = (terms.sum(1) - here) / (truth.shape[1] - all_here).clamp(min=1)
        wrong = inside + outside
    p = logits.sigmoid()
    shared = (2 * (p * truth).sum(1) + SMOOTH) / (p.sum(1) + all_here + SMOOTH)
    return weights.entropy * wrong / 2 + weights.dice * (1 - shared)


def first_look(
    logits: Tensor,
    target: Tensor,
    ignore_index: int | None,
    weights: Weights,
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
    weights : Weights
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
        maps, layers = only(maps, seen), only(layers, seen)
        told = told + sure_loss(maps.amax(1), (own > 0).sum(0), known)
        ask = ((own > 0).sum(0) == 1).logical_and(known).nonzero()[:, 0]
        ask = ask[:: max(1, -(-len(ask) // MOST_TOLD))]
        if not len(ask):
            continue
        owner = own[:, ask].amax(0)
        truth = (layers[:, None] == owner[:, None]).any(0)
        masks = masks + mask_losses(maps.index_select(0, ask), truth, weights).sum()
        count += len(ask)
    return weights.sure * told / len(logits) + masks / max(1, count)


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


def only(values: Tensor, seen: Tensor) -> Tensor:
    """Return those of values (M, N) that are seen (N,); no copy, if all are."""
    return values if bool(seen.all()) else values[:, seen]


def counted(layers: Tensor, ignore_index: int | None) -> Tensor:
    """Return which voxels of layers (L, N) count."""
    if ignore_index is None:
        return torch.ones_like(layers[0], dtype=torch.bool)
    return (layers != ignore_index).any(0)
