"""Exact Euclidean distances on the device that trains.

Legend: B batch, F channels, S spatial shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

EVERY = 8  # steps after which a distance is looked at that could not be beaten any more


def squared_distance(mask: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    """Return the squared distance of each voxel to the nearest one of a mask.

    Axis by axis, the least over all offsets of the distance so far plus the offset
    squared, which is exact [1]_. It stops where no larger offset can be less.

    Parameters
    ----------
    mask : Tensor of bool, shape (B, F, *S)
        To which voxels.
    spacing : sequence of float, optional
        Edge of a voxel along each axis; by default 1.

    Returns
    -------
    Tensor of float32, shape (B, F, *S)
        Infinite where a mask is empty.

    References
    ----------
    .. [1] Felzenszwalb, Huttenlocher, "Distance transforms of sampled functions",
       Theory of Computing 8, 2012. doi:10.4086/toc.2012.v008a019
    """
    found = torch.where(mask, 0.0, torch.inf).to(torch.float32)
    edges = spacing or (1.0,) * (mask.dim() - 2)
    for axis, edge in enumerate(edges, start=2):
        before, size = found, mask.shape[axis]
        found = before.clone()
        for offset in range(1, size):
            step = (offset * edge) ** 2
            if offset % EVERY == 0 and not bool((found > step).any()):
                break
            near, far = size - offset, offset
            _lower(found, before, axis, (0, near), (far, size), step)
            _lower(found, before, axis, (far, size), (0, near), step)
    return found


def _lower(
    found: Tensor,
    before: Tensor,
    axis: int,
    here: tuple[int, int],
    there: tuple[int, int],
    step: float,
) -> None:
    """Lower a part of the distances to those by way of another part."""
    part = found.narrow(axis, here[0], here[1] - here[0])
    other = before.narrow(axis, there[0], there[1] - there[0])
    torch.minimum(part, other + step, out=part)


def signed_distance(mask: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    """Return how far each voxel is from the border of a mask, less than 0 inside.

    Voxels' middles count: beside the border it is 1 outside and 0 inside, as in the
    authors' code of the boundary loss. 0 throughout where a mask is empty or full.

    Parameters
    ----------
    mask : Tensor of bool, shape (B, F, *S)
        The masks.
    spacing : sequence of float, optional
        Edge of a voxel along each axis; by default 1.
    """
    outside = squared_distance(mask, spacing).sqrt()
    inside = squared_distance(~mask, spacing).sqrt()
    least = min(spacing) if spacing else 1.0
    signed = torch.where(mask, least - inside, outside)
    return torch.where(signed.isfinite(), signed, 0.0)


def border_distance(mask: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    """Return how far each voxel is from the other side of a mask's border, from 1 on.

    0 throughout where a mask is empty or full.

    Parameters
    ----------
    mask : Tensor of bool, shape (B, F, *S)
        The masks.
    spacing : sequence of float, optional
        Edge of a voxel along each axis; by default 1.
    """
    outside = squared_distance(mask, spacing).sqrt()
    inside = squared_distance(~mask, spacing).sqrt()
    both = torch.where(mask, inside, outside)
    return torch.where(both.isfinite(), both, 0.0)


def diagonal(shape: Sequence[int], spacing: Sequence[float] | None = None) -> float:
    """Return the length of a patch's diagonal."""
    edges = spacing or (1.0,) * len(shape)
    return math.hypot(*(n * edge for n, edge in zip(shape, edges, strict=True)))
