"""What losses share of objects that any of their own voxels tells of.

Legend: B batch, C channels, P patch, L layers, N voxels, D axes, K voxels that are
asked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses._boxes import boxes_of, side_loss
from autoseg.losses._dice import precise
from autoseg.losses._masks import sure_loss
from autoseg.losses.base import Loss

ASKED = 8  # voxels of each object, evenly spread, whose masks are compared
MARGIN = 0.1  # of a box, on each side, as the representation has it
SMOOTH = 1.0


class Seen(NamedTuple):
    """One object of a patch.

    Parameters
    ----------
    layer : Tensor of int, shape (*P)
        Ids of the layer that it is in.
    id : int
        Its own.
    box : tuple of slice, length D
        Around it.
    asked : Tensor of int64, shape (K, D)
        Some voxels that are its alone.
    """

    layer: Tensor
    id: int
    box: tuple[slice, ...]
    asked: Tensor

    def inside(self, box: tuple[slice, ...]) -> Tensor:
        """Return its mask in a part of the patch."""
        found: Tensor = self.layer[box] == self.id
        return found


class SeedLoss(Loss):
    """How sure voxels are, the sides of boxes, and the masks that voxels tell of.

    Of each object, all voxels that are its alone tell of the sides, and some of them
    of the mask. Voxels that several objects share count for none of them.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    scale : float
        Voxels that a distance of 1 is.
    box : float
        Weight of the sides of boxes.
    mask : float
        Weight of masks.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.
    """

    takes_layers = True

    def __init__(
        self,
        axes: int,
        scale: float,
        box: float,
        mask: float,
        ignore_index: int | None,
    ) -> None:
        super().__init__()
        self.axes, self.scale, self.box, self.mask = axes, scale, box, mask
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, C, *P)
            How sure a voxel is, 2 D sides, and what the masks are made of.
        target : Tensor of int, shape (B, L, *P)
            Ids of objects, none of which overlap within a layer.
        """
        logits = logits.to(precise(logits))
        sure = sides = masks = logits.new_zeros(())
        count = 0
        for output, layers in zip(logits, target, strict=True):
            seen = self._seen(layers)
            several = (layers > 0).sum(0)
            sure = sure + sure_loss(output[0], several, seen)
            told = output[1 : 1 + 2 * self.axes]
            sides = sides + side_loss(told, layers, self.scale)
            for one in _objects(layers, several):
                masks = masks + self.compare(output, one, seen)
                count += 1
        many = max(1, count)
        return sure / len(logits) + (self.box * sides + self.mask * masks) / many

    @abstractmethod
    def compare(self, output: Tensor, one: Seen, seen: Tensor) -> Tensor:
        """Return the loss of the masks that an object's asked voxels tell of.

        Parameters
        ----------
        output : Tensor, shape (C, *P)
            Of one sample.
        one : Seen
            The object.
        seen : Tensor of bool, shape (*P)
            Which voxels count.
        """

    def _seen(self, layers: Tensor) -> Tensor:
        if self.ignore_index is None:
            return torch.ones_like(layers[0], dtype=torch.bool)
        return (layers != self.ignore_index).any(0)


def told_by(output: Tensor, one: Seen) -> Tensor:
    """Return what an object's asked voxels say, (C, K), of an output (C, *P)."""
    where: Any = (slice(None), *one.asked.unbind(1))
    said: Tensor = output[where]
    return said


def entropy_and_dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Return cross-entropy, inside and outside alike, and Dice of masks (K, N)."""
    truth = truth.to(logits.dtype).expand_as(logits)
    entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    inside = (entropy * truth).sum(1) / truth.sum(1).clamp(min=1)
    outside = (entropy * (1 - truth)).sum(1) / (1 - truth).sum(1).clamp(min=1)
    p = logits.sigmoid()
    both = (p * truth).sum(1)
    dice = (2 * both + SMOOTH) / (p.sum(1) + truth.sum(1) + SMOOTH)
    return ((inside + outside) / 2 + 1 - dice).mean()


def _objects(layers: Tensor, several: Tensor) -> list[Seen]:
    """Return the objects of layers (L, *P) that have voxels of their own."""
    found = []
    for layer in layers:
        ids, low, high = boxes_of(layer[None])
        for i, first, last in zip(
            ids.tolist(), low.tolist(), high.tolist(), strict=True
        ):
            box = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
            own = ((layer[box] == i) & (several[box] == 1)).nonzero()
            if not len(own):
                continue
            # Of so many parts in a row, the middle of each.
            step = (torch.arange(ASKED, device=own.device) * 2 + 1) * len(own)
            asked = own[step // (2 * ASKED)] + own.new_tensor(first)
            found.append(Seen(layer, i, box, asked))
    return found


def widened(box: Sequence[slice], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return a box with a margin, as far as the array goes."""
    found = []
    for part, size in zip(box, shape, strict=True):
        by = max(1, round(MARGIN * (part.stop - part.start)))
        found.append(slice(max(0, part.start - by), min(size, part.stop + by)))
    return tuple(found)
