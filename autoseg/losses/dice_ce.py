"""Cross-entropy and soft Dice, for classes that exclude each other.

Legend: B batch, K classes, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

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
class DiceCrossEntropy(Loss):
    """Mean cross-entropy minus mean soft Dice of the foreground classes.

    Labels below 0 count as class 0, the background. The best value is -1. Gradients are
    written out by hand, class by class, so that no map of all classes beside the
    probabilities themselves is ever made.

    Parameters
    ----------
    batch_dice : bool
        Dice is made of sums over the whole batch, not of each sample alone.
    ignore_index : int, optional
        Voxels with this label do not count.
    partly : list of (int, list of int), optional
        Labels of voxels of which not everything is known; see
        `autoseg.losses._labels.LabelLoss`.

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
        ignore_index: int | None = None,
        partly: Partly | None = None,
    ) -> None:
        super().__init__()
        self.batch_dice = batch_dice
        self.ignore_index = ignore_index
        self.partly = partly

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check_shapes(logits, target)
        if self.partly:
            channels, ignore = logits.shape[1], self.ignore_index
            table = meanings(channels, None, ignore, self.partly)
            seen = look(logits, target, table, True, ignore)
            return dice_and_entropy(seen, self.batch_dice, self.batch)
        apply: Any = _DiceCrossEntropy.apply
        how = self.batch_dice, self.ignore_index, self.batch
        result: Tensor = apply(logits, target, *how)
        return result

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 6, 8), dtype=torch.int16)
        target[:, 1:3, 2:5] = 1
        target[0, 4:] = 2
        logits = torch.stack([target == k for k in range(3)], dim=1) * 200.0
        return cls(), target, logits


class _DiceCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        target: Tensor,
        batch_dice: bool,
        ignore: int | None,
        share: Share,
    ) -> Tensor:
        log_p = by_voxel(logits.detach().log_softmax(1, dtype=precise(logits)))
        labels = target.reshape(len(target), -1)
        valid = counted(labels, ignore, log_p.dtype)
        count = log_p.new_tensor(labels.numel())
        if valid is not None:
            count = valid.sum()
        entropy, g = log_p.new_zeros(()), torch.empty_like(log_p[:, 0])
        for k in range(log_p.shape[1]):
            _mark(labels, k, g)
            if valid is not None and k == 0:  # an ignored label may be below 0
                g *= valid
            entropy -= (log_p[:, k] * g).sum()
        p = log_p.exp_()
        overlap = p.new_zeros((len(p), p.shape[1] - 1))
        predicted, reference = overlap.clone(), overlap.clone()
        for k in range(1, p.shape[1]):
            _mark(labels, k, g)
            overlap[:, k - 1] = (p[:, k] * g).sum(1)
            reference[:, k - 1] = g.sum(1)
            seen = p[:, k] if valid is None else p[:, k] * valid
            predicted[:, k - 1] = seen.sum(1)
        entropy, count = share.total(entropy, count)
        count = count.clamp(min=1)
        dice, base, gain = dice_terms(overlap, predicted, reference, batch_dice, share)
        # Low-precision logits are smaller than p; the softmax is cheap to do again.
        kept = p if logits.dtype == p.dtype else logits.detach()
        ctx.save_for_backward(kept, target, base, gain, count)
        ctx.ignore, ctx.shape, ctx.dtype = ignore, logits.shape, logits.dtype
        return entropy / count - dice

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        kept, target, base, gain, count = ctx.saved_tensors
        p = kept
        if kept.dtype != gain.dtype:
            p = by_voxel(kept.softmax(1, dtype=gain.dtype))
        labels = target.reshape(len(target), -1)
        # d loss / d p is v = -(base + gain g) for the foreground and 0 for class 0;
        # behind the softmax it is p (v - sum of p v), and (p - g) / N for the entropy.
        g = torch.empty_like(p[:, 0])
        common = (1 / count).expand_as(g).clone()
        for k in range(1, p.shape[1]):
            common += (
                _mark(labels, k, g)
                .mul_(gain[:, k - 1 : k])
                .add_(base[:, k - 1 : k])
                .mul_(p[:, k])
            )
        grad = torch.empty_like(p)
        for k in range(p.shape[1]):
            _mark(labels, k, g)
            if k == 0:
                torch.mul(p[:, k], common, out=grad[:, k])
            else:
                steep = common - base[:, k - 1 : k]
                steep -= g * gain[:, k - 1 : k]
                torch.mul(p[:, k], steep, out=grad[:, k])
            grad[:, k] -= g.div_(count)
        valid = counted(labels, ctx.ignore, p.dtype)
        if valid is not None:
            grad *= valid[:, None]
        grad *= grads[0]
        return grad.reshape(ctx.shape).to(ctx.dtype), None, None, None, None


def _mark(labels: Tensor, k: int, mask: Tensor) -> Tensor:
    """Set ``mask`` to 1 where the class is k, else 0; below 0 is background."""
    compare = torch.le if k == 0 else torch.eq
    return compare(labels, k, out=mask)
