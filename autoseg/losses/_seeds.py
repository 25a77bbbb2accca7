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
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

ASKED = 4  # voxels of each object, evenly spread, whose masks are compared
MARGIN = 0.1  # of a box, on each side, as the representation has it
SMOOTH = 1.0


class Seen(NamedTuple):
    """One object of a patch.

    Parameters
    ----------
    inside : Tensor of bool, shape (*P)
        Its mask.
    box : tuple of slice, length D
        Around it.
    asked : Tensor of int64, shape (K, D)
        Some voxels that are its alone.
    """

    inside: Tensor
    box: tuple[slice, ...]
    asked: Tensor


class SeedLoss(Loss):
    """How sure voxels are, the sides of boxes, and the masks that voxels tell of.

    Of each object, some voxels that are its alone are asked. Voxels that several
    objects share count for none of them.

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
            sure = sure + _told(output[0], several, seen)
            for one in _objects(layers, several):
                wanted = _sides(one).to(output.dtype) / self.scale
                told = told_by(output[1 : 1 + 2 * self.axes], one).T
                sides = sides + smooth_l1_loss(told, wanted)
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


def _told(sure: Tensor, several: Tensor, seen: Tensor) -> Tensor:
    """Return how wrong voxels (*P) are about being an object's own."""
    inside, outside = seen & (several == 1), seen & (several == 0)
    total = sure.new_zeros(())
    for where, wanted in ((inside, 1.0), (outside, 0.0)):
        if where.any():
            truth = torch.full_like(sure[where], wanted)
            total = total + binary_cross_entropy_with_logits(sure[where], truth) / 2
    return total


def _objects(layers: Tensor, several: Tensor) -> list[Seen]:
    """Return the objects of layers (L, *P) that have voxels of their own."""
    found = []
    for layer in layers:
        for i in torch.unique(layer[layer > 0]).tolist():
            inside = layer == i
            own = (inside & (several == 1)).nonzero()
            if not len(own):
                continue
            whole = inside.nonzero()
            low, high = whole.amin(0).tolist(), (whole.amax(0) + 1).tolist()
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            # Of so many parts in a row, the middle of each.
            step = (torch.arange(ASKED, device=own.device) * 2 + 1) * len(own)
            found.append(Seen(inside, box, own[step // (2 * ASKED)]))
    return found


def _sides(one: Seen) -> Tensor:
    """Return how far asked voxels are from the sides of the box, (K, 2 D)."""
    parts: list[Any] = []
    for at, part in zip(one.asked.unbind(1), one.box, strict=True):
        parts += [at - part.start + 0.5, part.stop - at - 0.5]
    return torch.stack(parts, 1)


def widened(box: Sequence[slice], shape: Sequence[int]) -> tuple[slice, ...]:
    """Return a box with a margin, as far as the array goes."""
    found = []
    for part, size in zip(box, shape, strict=True):
        by = max(1, round(MARGIN * (part.stop - part.start)))
        found.append(slice(max(0, part.start - by), min(size, part.stop + by)))
    return tuple(found)
