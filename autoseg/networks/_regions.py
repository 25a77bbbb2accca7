"""Regions about boxes: looked at in the features, and a mask in each.

Legend: B batch, Q regions, E channels of the features, S shape of a resolution, T
voxels that tell of a box, G points of a region along an axis, D axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.networks._looks import first_apart, looked_at, pooled, taken

WIDTH = 32  # channels of a region
OUTSIDE = -8.0  # logit of what is outside of a region
MARGIN = 0.1  # of a box, on each side, that is looked at beyond it
SAME = 0.7  # IoU of boxes from which on the less sure one is dropped


class RegionReader(nn.Module):
    """Masks in the boxes that an output of the same network tells of [1]_.

    Of voxels of a coarse resolution, the surest tell of boxes, but none that is nearly
    the same as a surer one. The features in each are brought to a grid of the same
    number of points, with what the voxel that told of it knows, and a small network
    makes a mask of them. It is laid into the patch where the box is.

    Parameters
    ----------
    features : int
        E.
    dim : int
        D.
    regions : int
        Q.
    edge : int
        G.
    scale : float
        Voxels that a distance of 1 in outputs of boxes is.
    boxes : str
        The head that tells of boxes: how sure a voxel is, and how far the sides are.

    References
    ----------
    .. [1] He et al., "Mask R-CNN", ICCV 2017. arXiv:1703.06870
    """

    def __init__(
        self,
        features: int,
        dim: int,
        *,
        regions: int = 50,
        edge: int = 16,
        scale: float = 10.0,
        boxes: str = "boxes",
    ) -> None:
        super().__init__()
        self.regions, self.dim, self.edge = regions, dim, edge
        self.scale, self.boxes = scale, boxes
        kind = (nn.Conv2d, nn.Conv3d)[dim - 2]
        self.first = kind(features, WIDTH, 3, padding=1)
        self.known = nn.Linear(features, WIDTH)
        self.second = kind(WIDTH, WIDTH, 3, padding=1)
        self.last = kind(WIDTH, 1, 1)

    def forward(
        self, levels: Sequence[Tensor], beside: Mapping[str, Sequence[Tensor]]
    ) -> list[Tensor]:
        """Return masks, (B, Q, *S), in a list.

        Parameters
        ----------
        levels : sequence of Tensor, shape (B, E, *S)
            The network's features, finest first.
        beside : mapping of str to sequence of Tensor
            What the network gives for every head.
        """
        finest = levels[0].float()
        coarse = pooled(looked_at(levels)[-1])
        told = beside[self.boxes][0].detach().float()
        low, high, sure = self._boxes(told, coarse.shape[2:])
        chosen = first_apart(sure, _alike(low, high) > SAME, self.regions)
        tokens = coarse.flatten(2).transpose(1, 2)
        known = self.known(taken(tokens, chosen)).flatten(0, 1)
        low, high = taken(low, chosen), taken(high, chosen)
        wide = MARGIN * (high - low)
        low, high = low - wide, high + wide
        seen = self._cut(finest, low, high)
        x = self.first(seen) + known.reshape(*known.shape, *(1,) * self.dim)
        masks = self.last(functional.relu(self.second(functional.relu(x))))
        return [self._laid(masks.float(), low, high, finest.shape[2:])]

    def _boxes(
        self, told: Tensor, shape: Sequence[int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return corners (B, T, D) of boxes, in voxels, and how sure each is (B, T)."""
        places = []
        for axis, count in enumerate(shape):
            size = told.shape[2 + axis]
            at = ((torch.arange(count, device=told.device) + 0.5) * size / count).long()
            told = told.index_select(2 + axis, at)
            places.append(at.float() + 0.5)
        at = torch.stack(torch.meshgrid(*places, indexing="ij"), -1).flatten(0, -2)
        sure, far = told[:, 0].flatten(1), told[:, 1:].flatten(2).transpose(1, 2)
        far = (far * self.scale).clamp(min=0.5).unflatten(2, (self.dim, 2))
        return at - far[..., 0], at + far[..., 1], sure

    def _cut(self, level: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return features in boxes, (B * Q, E, *G)."""
        points = (torch.arange(self.edge, device=low.device) + 0.5) / self.edge
        grid = torch.stack(torch.meshgrid(*[points] * self.dim, indexing="ij"), -1)
        grid = grid.flatten(0, -2)  # (G ** D, D)
        at = low[:, :, None] + (high - low)[:, :, None] * grid
        size = at.new_tensor(level.shape[2:])
        at = (2 * at / size - 1).flip(-1)  # as grid_sample counts: last axis first
        flat = at.flatten(1, 2).reshape(len(at), -1, *(1,) * (self.dim - 1), self.dim)
        found = functional.grid_sample(level, flat, align_corners=False)
        found = found.flatten(2).unflatten(2, (low.shape[1], -1)).transpose(1, 2)
        seen: Tensor = found.flatten(0, 1).unflatten(2, (self.edge,) * self.dim)
        return seen

    def _laid(
        self, masks: Tensor, low: Tensor, high: Tensor, shape: Sequence[int]
    ) -> Tensor:
        """Return masks (B * Q, 1, *G) where their boxes are, (B, Q, *S)."""
        axes = []
        for axis, size in enumerate(shape):
            at = torch.arange(size, device=low.device) + 0.5
            span = (high - low)[..., axis, None]
            axes.append((2 * (at - low[..., axis, None]) / span - 1).flatten(0, 1))
        grid = [
            line.reshape(
                len(line), *(n if a == axis else 1 for a, n in enumerate(shape))
            )
            for axis, line in enumerate(axes)
        ]
        whole = torch.stack(torch.broadcast_tensors(*grid)[::-1], -1)
        laid = functional.grid_sample(masks - OUTSIDE, whole, align_corners=False)
        found: Tensor = (laid[:, 0] + OUTSIDE).unflatten(0, low.shape[:2])
        return found


def _alike(low: Tensor, high: Tensor) -> Tensor:
    """Return the IoU (B, T, T) of boxes."""
    first, last = (
        torch.maximum(low[:, :, None], low[:, None]),
        torch.minimum(high[:, :, None], high[:, None]),
    )
    both = (last - first).clamp(min=0).prod(-1)
    size = (high - low).prod(-1)
    return both / (size[:, :, None] + size[:, None] - both)
