"""Skeletons of soft masks, by the least and the largest of neighbors.

Legend: B batch, F channels, S spatial shape.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


def _largest(maps: Tensor, kernel: tuple[int, ...]) -> Tensor:
    pool = functional.max_pool2d if maps.dim() == 4 else functional.max_pool3d
    padding = tuple(size // 2 for size in kernel)
    made: Tensor = pool(maps, kernel, 1, padding)
    return made


def eroded(maps: Tensor) -> Tensor:
    """Return the least of each voxel and its neighbors along the axes."""
    axes = maps.dim() - 2
    lines = [tuple(3 if a == b else 1 for b in range(axes)) for a in range(axes)]
    least = -_largest(-maps, lines[0])
    for line in lines[1:]:
        least = torch.minimum(least, -_largest(-maps, line))
    return least


def dilated(maps: Tensor) -> Tensor:
    """Return the largest of each voxel and all of its neighbors."""
    return _largest(maps, (3,) * (maps.dim() - 2))


def soft_skeleton(maps: Tensor, iterations: int) -> Tensor:
    """Return what is left of masks when all that an opening keeps is taken away.

    Parameters
    ----------
    maps : Tensor, shape (B, F, *S)
        From 0 to 1.
    iterations : int
        The radius of the thickest thing, in voxels.

    References
    ----------
    .. [1] Shit et al., "clDice - a novel topology-preserving loss function for tubular
       structure segmentation", CVPR 2021. doi:10.1109/CVPR46437.2021.01629
    """
    skeleton = functional.relu(maps - dilated(eroded(maps)))
    for _ in range(iterations):
        # A step keeps ten maps for its backward pass; it is made again instead.
        if maps.requires_grad:
            maps, skeleton = checkpoint(_thinner, maps, skeleton, use_reentrant=False)
        else:
            maps, skeleton = _thinner(maps, skeleton)
    return skeleton


def _thinner(maps: Tensor, skeleton: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks that are a voxel thinner all around, and a longer skeleton."""
    maps = eroded(maps)
    more = functional.relu(maps - dilated(eroded(maps)))
    return maps, skeleton + functional.relu(more - skeleton * more)
