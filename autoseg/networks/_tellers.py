"""Voxels that tell of their object: what they say is thought of where it is coarse.

A finest level with few channels knows borders, and can hardly say how an object lies.
So the coarser levels are looked at together, by a small network for each voxel of one
of them, and what it says is brought to the finest by linear interpolation: sides of a
box, seen from voxels, are linear within an object. How sure a voxel is, and maps of the
whole image, are of the finest level itself.

Legend: B batch, E channels of the features, S shape of a resolution, T voxels of a
coarse one, D axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from autoseg.networks._looks import enlarged, looked_at, pooled, tokens

WIDTH = 64  # channels of what is thought of


class TellReader(nn.Module):
    """How sure voxels are, what they tell of their objects, and maps.

    Parameters
    ----------
    features : int
        E.
    dim : int
        D.
    told : int
        Numbers that a voxel tells.
    maps : int
        Maps of the whole image; they come last.
    """

    def __init__(self, features: int, dim: int, *, told: int, maps: int = 0) -> None:
        super().__init__()
        self.dim = dim
        self.fine = (nn.Conv2d, nn.Conv3d)[dim - 2](features, 1 + maps, 1)
        self.project = nn.Linear(features, WIDTH)
        self.think = nn.Sequential(
            nn.LayerNorm(WIDTH),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, told),
        )

    def forward(
        self,
        levels: Sequence[Tensor],
        beside: Mapping[str, Sequence[Tensor]] | None = None,
    ) -> list[Tensor]:
        """Return the outputs, (B, 1 + told + maps, *S), in a list.

        Parameters
        ----------
        levels : sequence of Tensor, shape (B, E, *S)
            The network's features, finest first.
        beside : mapping of str to sequence of Tensor, optional
            What the network gives for every head; not looked at.
        """
        finest = levels[0]
        coarse = looked_at(levels)
        shape = pooled(coarse[-1]).shape[2:]
        known = sum(
            (self.project(tokens(level, shape)) for level in coarse),
            start=finest.new_zeros(()),
        )
        told = self.think(known).transpose(1, 2).unflatten(2, shape)
        near = self.fine(finest)
        wide = enlarged(told, finest.shape[2:])
        return [torch.cat([near[:, :1], wide, near[:, 1:]], 1)]
