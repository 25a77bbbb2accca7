"""What losses share of objects that any of their own voxels tells of.

Legend: B batch, C channels, P patch, L layers, D axes, M objects of a sample, K voxels
of each that are asked, T points of each that are looked at.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

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
    """The objects of a patch that have voxels of their own.

    Parameters
    ----------
    layers : Tensor of int, shape (L, *P)
        Ids.
    counted : Tensor of bool, shape (*P)
        Which voxels count.
    ids : Tensor of int, shape (M,)
        Those of the objects.
    low, high : Tensor of int64, shape (M, D)
        Boxes: the first voxel, and the one after the last.
    asked : Tensor of int64, shape (M, K, D)
        Some voxels that are one object's alone.
    """

    layers: Tensor
    counted: Tensor
    ids: Tensor
    low: Tensor
    high: Tensor
    asked: Tensor

    @property
    def shape(self) -> Sequence[int]:
        """Of the patch."""
        return self.counted.shape

    def told(self, output: Tensor) -> Tensor:
        """Return what the asked voxels say, (C, M, K), of an output (C, *P)."""
        return picked(output, self.flat(self.asked))

    def flat(self, places: Tensor) -> Tensor:
        """Return places (..., D) as numbers of voxels of the patch."""
        return numbered(places, self.counted.shape)

    def looked_at(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what is known of places (M, T, D) in the patch.

        Returns
        -------
        at : Tensor of int64, shape (M, T)
            The number of each one's voxel.
        inside, counted : Tensor of bool, shape (M, T)
            Whether it is in the object, and whether it counts.
        """
        at = self.flat(places)
        inside = picked(self.layers, at) == self.ids[:, None]
        return at, inside.any(0), self.counted.flatten()[at]


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
    beta : float
        Distance below which the error of a side counts by its square.
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
        beta: float,
        ignore_index: int | None,
    ) -> None:
        super().__init__()
        self.axes, self.scale, self.box, self.mask = axes, scale, box, mask
        self.beta, self.ignore_index = beta, ignore_index

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
        sure = places = masks = logits.new_zeros(())
        count = 0
        for output, layers in zip(logits, target, strict=True):
            counted = self._counted(layers)
            sure = sure + sure_loss(output[0], (layers > 0).sum(0), counted)
            places = places + self.place(output, layers)
            seen = _seen(layers, counted)
            if len(seen.ids):
                masks = masks + self.compare(output, seen).sum()
                count += len(seen.ids)
        many = max(1, count)
        return sure / len(logits) + (self.box * places + self.mask * masks) / many

    def place(self, output: Tensor, layers: Tensor) -> Tensor:
        """Return how wrong voxels are about where their objects are, of all objects.

        Parameters
        ----------
        output : Tensor, shape (C, *P)
            Of one sample.
        layers : Tensor of int, shape (L, *P)
            Its ids.
        """
        told = output[1 : 1 + 2 * self.axes]
        return side_loss(told, layers, self.scale, self.beta)

    @abstractmethod
    def compare(self, output: Tensor, seen: Seen) -> Tensor:
        """Return the loss of the masks that asked voxels tell of, by object: (M,).

        Parameters
        ----------
        output : Tensor, shape (C, *P)
            Of one sample.
        seen : Seen
            Its objects, one or more.
        """

    def _counted(self, layers: Tensor) -> Tensor:
        if self.ignore_index is None:
            return torch.ones_like(layers[0], dtype=torch.bool)
        return (layers != self.ignore_index).any(0)


def picked(values: Tensor, at: Tensor) -> Tensor:
    """Return values (C, ...) of maps (C, *P) at voxels (...) by their numbers."""
    found: Tensor = values.flatten(1).index_select(1, at.flatten())
    shaped: Tensor = found.unflatten(1, at.shape)
    return shaped


def grid_in(low: Tensor, high: Tensor, edge: int) -> Tensor:
    """Return the voxels (M, T, D) at points of boxes: so many along each axis.

    Parameters
    ----------
    low, high : Tensor of int64, shape (M, D)
        The first voxel of each box, and the one after the last.
    edge : int
        Points along each axis, in the middles of equal parts.
    """
    axes = low.shape[1]
    half = 2 * torch.arange(edge, device=low.device) + 1
    lines = low[..., None] + ((high - low)[..., None] * half) // (2 * edge)
    shape = (len(low), *[edge] * axes)
    grid = [
        lines[:, axis].reshape(-1, *(edge if a == axis else 1 for a in range(axes)))
        for axis in range(axes)
    ]
    return torch.stack([line.expand(shape) for line in grid], -1).flatten(1, -2)


def entropy_and_dice(
    logits: Tensor, truth: Tensor, counted: Tensor, dice: float = 1.0
) -> Tensor:
    """Return cross-entropy and Dice of masks, the mean of each object's.

    Parameters
    ----------
    logits : Tensor, shape (M, K, T)
        Of K masks of each object.
    truth : Tensor, shape (M, T)
        How likely each point is to be, 0 to 1.
    counted : Tensor of bool, shape (M, T)
        Which points count.
    dice : float
        Weight of Dice.
    """
    counts = counted.to(logits.dtype)[:, None]
    truth = truth.to(logits.dtype)[:, None].expand_as(logits)
    terms = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    entropy = (terms * counts).sum(2) / counts.sum(2).clamp(min=1)
    p, truth = logits.sigmoid() * counts, truth * counts
    # Of p and t from 0 to 1, |p - t| is 0 where both are the same, also in between.
    sums = p.sum(2) + truth.sum(2)
    alike = (sums - (p - truth).abs().sum(2) + SMOOTH) / (sums + SMOOTH)
    return (entropy + dice * (1 - alike)).mean(1)


def _seen(layers: Tensor, counted: Tensor) -> Seen:
    """Return the objects of layers (L, *P) that have voxels of their own."""
    ids, low, high = boxes_of(layers)
    owner = torch.where((layers > 0).sum(0) == 1, layers.clamp(min=0).sum(0), 0)
    places = (owner > 0).nonzero()
    of = torch.searchsorted(ids, owner[owner > 0].to(ids.dtype))
    has, asked = evenly(places, of, len(ids), ASKED)
    return Seen(layers, counted, ids[has], low[has], high[has], asked)


def evenly(
    voxels: Tensor, of: Tensor, objects: int, many: int
) -> tuple[Tensor, Tensor]:
    """Return some voxels of each object, evenly spread.

    Parameters
    ----------
    voxels : Tensor, shape (N, ...)
        All of them.
    of : Tensor of int64, shape (N,)
        Number of the object that each is of.
    objects : int
        How many there are.
    many : int
        K.

    Returns
    -------
    has : Tensor of bool, shape (objects,)
        Which objects have any, M of them.
    some : Tensor, shape (M, K, ...)
        Of these.
    """
    number = torch.bincount(of, minlength=objects)
    voxels = voxels[torch.argsort(of, stable=True)]
    first = number.cumsum(0) - number
    has = number > 0
    # Of so many parts in a row, the middle of each.
    part = torch.arange(many, device=of.device) * 2 + 1
    at = first[has, None] + (part * number[has, None]) // (2 * many)
    return has, voxels[at]


def numbered(places: Tensor, shape: Sequence[int]) -> Tensor:
    """Return places (..., D) as numbers of voxels of a patch."""
    found = places[..., 0]
    for axis, size in enumerate(shape[1:], start=1):
        found = found * size + places[..., axis]
    return found


def widened(low: Tensor, high: Tensor, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return boxes (M, D) with a margin, as far as a patch of a shape goes."""
    size = high.new_tensor(shape)
    by = (MARGIN * (high - low)).round().long().clamp(min=1)
    return (low - by).clamp(min=0), torch.minimum(high + by, size)
