"""Masks that voxels tell of, compared with their objects at points of the patch.

Legend: B batch, T voxels that tell, R numbers of an answer, N voxels of the patch, P
its shape, L layers, M objects of a sample, K voxels of each that are asked, S points of
each that are looked at, F voxels of the resolution of those that tell.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses._boxes import boxes_of
from autoseg.losses._masks import Weights, counted, sure_loss
from autoseg.losses._seeds import (
    ASKED,
    entropy_and_dice,
    evenly,
    grid_in,
    numbered,
    widened,
)

POINTS = {2: 24, 3: 10}  # of an object along each axis that are looked at, by axes
STEP = 3  # of so many voxels that tell, one is where masks are looked at


class _Asked(NamedTuple):
    """What is looked at in a sample.

    Parameters
    ----------
    voxels : Tensor of int64, shape (M, K)
        Which of those that tell are asked.
    points : Tensor of int64, shape (M, S)
        Numbers of voxels in the object's box and a margin.
    ids : Tensor of int, shape (M,)
        Of the objects.
    """

    voxels: Tensor
    points: Tensor
    ids: Tensor


def told_masks(
    told: Tensor, target: Tensor, ignore_index: int | None, weights: Weights
) -> Tensor:
    """Return the loss of masks that voxels tell of: each of its own object.

    A voxel that is of one object alone has to be in the mask that it tells of, and one
    that is of none has not to. Of each object, some of its voxels are asked for its
    mask: it is compared in the object's box, and at points of the whole patch.

    Parameters
    ----------
    told : Tensor, shape (B, R + 1, 2 T + N)
        See `autoseg.networks._looks.packed`.
    target : Tensor of int, shape (B, L, *P)
        Ids of objects, none of which overlap within a layer.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.
    weights : Weights
        Of how sure voxels are, of cross-entropy, and of Dice.
    """
    many = math.prod(target.shape[2:])
    tellers = (told.shape[2] - many) // 2
    every = torch.arange(2 * tellers, device=told.device)
    sure = masks = told.new_zeros(())
    count = 0
    for one, layers in zip(told.unbind(), target, strict=True):
        at = one[-1, :tellers].detach().long()
        flat = layers.flatten(1)
        seen = counted(flat, ignore_index)
        several = (flat[:, at] > 0).sum(0)
        alone = (several == 1) & seen[at]
        asked = _asked(layers, torch.where(alone, flat[:, at].amax(0), 0))
        points = asked.points.flatten()
        some = one.index_select(1, torch.cat([every, 2 * tellers + points]))[:-1]
        answers, own, near = some.split([tellers, tellers, len(points)], 1)
        sure = sure + sure_loss((answers * own).sum(0), several, seen[at])
        if not len(asked.ids):
            continue
        said = answers.T.index_select(0, asked.voxels.flatten())
        said = said.unflatten(0, asked.voxels.shape)
        box = torch.einsum("mkr,rms->mks", said, near.unflatten(1, asked.points.shape))
        truth = _within(flat, asked.points, asked.ids)
        share = weights.dice / weights.entropy
        wrong = entropy_and_dice(box, truth, seen[asked.points], 2 * share)
        wide = said @ own[:, ::STEP]
        wrong = wrong + _entropy(wide, flat, at[::STEP], asked.ids, seen[at[::STEP]])
        masks = masks + weights.entropy / 2 * wrong.sum()
        count += len(asked.ids)
    return weights.sure * sure / len(told) + masks / max(1, count)


def _asked(layers: Tensor, owner: Tensor) -> _Asked:
    """Return what is looked at of objects in layers (L, *P) that voxels (T,) are of."""
    ids, low, high = boxes_of(layers)
    which = (owner > 0).nonzero()[:, 0]
    of = torch.searchsorted(ids, owner[which].to(ids.dtype))
    has, voxels = evenly(which, of, len(ids), ASKED)
    shape = layers.shape[1:]
    points = grid_in(*widened(low[has], high[has], shape), POINTS[len(shape)])
    return _Asked(voxels, numbered(points, shape), ids[has])


def _within(flat: Tensor, at: Tensor, ids: Tensor) -> Tensor:
    """Return whether voxels (M, S) of layers (L, N) are in objects (M,)."""
    return (flat[:, at] == ids[:, None]).any(0)


def _entropy(
    logits: Tensor, flat: Tensor, far: Tensor, ids: Tensor, counts: Tensor
) -> Tensor:
    """Return the mean cross-entropy of masks (M, K, F) of each object, (M,)."""
    truth = _within(flat, far.expand(len(ids), -1), ids)[:, None].to(logits.dtype)
    terms = binary_cross_entropy_with_logits(
        logits, truth.expand_as(logits), reduction="none"
    )
    return (terms * counts).sum(2).mean(1) / counts.sum().clamp(min=1)
