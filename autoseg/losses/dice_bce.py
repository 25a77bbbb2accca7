"""Binary cross-entropy and soft Dice, for regions that may overlap.

Legend: B batch, R regions, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.losses import LOSSES
from autoseg.losses._dice import (
    by_voxel,
    check_shapes,
    counted,
    dice_terms,
    precise,
)
from autoseg.losses._labels import Partly, dice_and_entropy, look, meanings
from autoseg.losses.base import Loss, Share


@LOSSES.register
class DiceBinaryCrossEntropy(Loss):
    """Mean binary cross-entropy minus mean soft Dice of all regions.

    The best value is -1. Labels below 0 count as label 0.

    Parameters
    ----------
    batch_dice : bool
        Dice is made of sums over the whole batch, not of each sample alone.
    regions : list of list of int, length R
        The label values that make up the region of each channel.
    ignore_index : int, optional
        Voxels with this label do not count.
    partly : list of (int, list of int), optional
        Labels of voxels of which not everything is known; see
        `autoseg.losses._labels.LabelLoss`.

    Notes
    -----
    With ignored voxels, nnU-Net v2 divides the entropy's sum over voxels and regions by
    the number of voxels only; here it is a mean over both in either case.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    """

    takes_labels = True
    sums_up = True
    lowest = -1.0  # no entropy, less a Dice of 1

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]],
        ignore_index: int | None = None,
        partly: Partly | None = None,
    ) -> None:
        super().__init__()
        self.batch_dice = batch_dice
        self.regions = tuple(tuple(region) for region in regions)
        self.ignore_index = ignore_index
        self.partly = partly

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check_shapes(logits, target, len(self.regions))
        if self.partly:
            ignore = self.ignore_index
            table = meanings(len(self.regions), self.regions, ignore, self.partly)
            seen = look(logits, target, table, False, ignore)
            return dice_and_entropy(seen, self.batch_dice, self.batch)
        apply: Any = _DiceBinary.apply
        result: Tensor = apply(
            logits,
            target,
            self.regions,
            self.batch_dice,
            self.ignore_index,
            self.batch,
        )
        return result

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 6, 8), dtype=torch.int16)
        target[:, 1:5, 2:7] = 1
        target[0, 2:4, 3:5] = 2
        logits = torch.stack([target >= 1, target == 2], dim=1) * 400.0 - 200.0
        return cls(regions=[[1, 2], [2]]), target, logits


class _DiceBinary(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        target: Tensor,
        regions: Sequence[Sequence[int]],
        batch_dice: bool,
        ignore: int | None,
        share: Share,
    ) -> Tensor:
        z = by_voxel(logits.detach().to(precise(logits)))
        labels = target.reshape(len(target), -1)
        valid = counted(labels, ignore, z.dtype)
        count = z.new_tensor(labels.numel()) if valid is None else valid.sum()
        entropy = z.new_zeros(())
        overlap = z.new_zeros(z.shape[:2])
        predicted, reference = overlap.clone(), overlap.clone()
        for r, members in enumerate(regions):
            g, x = _inside(labels, members, z.dtype), z[:, r]
            # -log sigmoid(x) where g is 1, -log sigmoid(-x) where it is 0
            cost = functional.softplus(x * (1 - 2 * g))
            p = x.sigmoid()
            if valid is not None:
                g, p, cost = g * valid, p * valid, cost * valid
            entropy += cost.sum()
            overlap[:, r] = (p * g).sum(1)
            predicted[:, r] = p.sum(1)
            reference[:, r] = g.sum(1)
        entropy, count = share.total(entropy, count)
        count = count.clamp(min=1) * len(regions)
        dice, base, gain = dice_terms(overlap, predicted, reference, batch_dice, share)
        ctx.save_for_backward(logits.detach(), target, base, gain, count)
        ctx.regions, ctx.ignore = regions, ignore
        return entropy / count - dice

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        logits, target, base, gain, count = ctx.saved_tensors
        p = by_voxel(logits.to(gain.dtype)).sigmoid()
        labels = target.reshape(len(target), -1)
        for r, members in enumerate(ctx.regions):
            g, one = _inside(labels, members, p.dtype), p[:, r]
            # d entropy / d z = (p - g) / N; d dice / d z = (base + gain g) p (1 - p).
            slope = (
                (g * gain[:, r : r + 1])
                .add_(base[:, r : r + 1])
                .mul_(one)
                .mul_(1 - one)
            )
            one.sub_(g).div_(count).sub_(slope)
        valid = counted(labels, ctx.ignore, p.dtype)
        if valid is not None:
            p *= valid[:, None]
        p *= grads[0]
        return p.reshape(logits.shape).to(logits.dtype), None, None, None, None, None


def _inside(labels: Tensor, members: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return 1 where a label is one of a region's, else 0."""
    found = labels == members[0]
    for value in members[1:]:
        found |= labels == value
    if 0 in members:
        found |= labels < 0
    return found.to(dtype)
