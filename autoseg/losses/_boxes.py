"""Boxes of objects, and how far voxels are from their sides.

Legend: B batch, P patch, L layers, N voxels, M objects, D axes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss


def boxes_of(layers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the ids of the objects in layers (L, *P), and their boxes.

    Returns
    -------
    ids : Tensor of int, shape (M,)
        Ascending.
    low, high : Tensor of int64, shape (M, D)
        The first voxel, and the one after the last.
    """
    places = (layers > 0).nonzero()
    ids, which = torch.unique(layers[layers > 0], return_inverse=True)
    at = places[:, 1:]
    index = which[:, None].expand_as(at)
    shape = (len(ids), at.shape[1])
    low = at.new_zeros(shape).scatter_reduce(0, index, at, "amin", include_self=False)
    high = at.new_zeros(shape).scatter_reduce(0, index, at, "amax", include_self=False)
    return ids, low, high + 1


def side_loss(told: Tensor, layers: Tensor, scale: float, beta: float = 1.0) -> Tensor:
    """Return how wrong voxels are about the sides of the box of their object.

    Parameters
    ----------
    told : Tensor, shape (2 D, *P)
        How far the sides are, before and behind along each axis.
    layers : Tensor of int, shape (L, *P)
        Ids; only voxels of one object alone are asked.
    scale : float
        Voxels that a distance of 1 is.
    beta : float
        Distance below which an error counts by its square.

    Returns
    -------
    Tensor
        The sum over objects of the mean over their voxels of smooth L1.
    """
    owner = torch.where((layers > 0).sum(0) == 1, layers.clamp(min=0).sum(0), 0)
    places = (owner > 0).nonzero()
    if not len(places):
        return 0 * told.sum()
    ids, low, high = boxes_of(layers)
    of = torch.searchsorted(ids, owner[owner > 0].to(ids.dtype))
    wanted = torch.stack([places - low[of] + 0.5, high[of] - places - 0.5], 2)
    said = told[:, owner > 0].T
    truth = wanted.flatten(1).to(said.dtype) / scale
    wrong = smooth_l1_loss(said, truth, reduction="none", beta=beta).mean(1)
    sums = wrong.new_zeros(len(ids)).index_add(0, of, wrong)
    count = torch.bincount(of, minlength=len(ids))
    return (sums / count.clamp(min=1)).sum()
