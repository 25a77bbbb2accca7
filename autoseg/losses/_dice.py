"""Soft Dice from sums over voxels, and how it changes with each of them.

Legend: B batch, K channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoseg.errors import TrainingError
from autoseg.losses.base import ALONE, Share

SMOOTH = 1e-5  # nnU-Net's; an absent class that is not predicted scores 1


def dice_terms(
    overlap: Tensor,
    predicted: Tensor,
    reference: Tensor,
    batch_dice: bool,
    share: Share = ALONE,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean soft Dice and its derivative by each voxel's probability.

    With p a probability and g the reference, 0 or 1, Dice is
    ``(2 sum(p g) + s) / (sum(p) + sum(g) + s)``; so its mean changes with p by
    ``base + gain * g``, with the same two numbers for all voxels of a sample and
    channel.

    Parameters
    ----------
    overlap, predicted, reference : Tensor, shape (B, K)
        Sums of p g, p and g over the voxels.
    batch_dice : bool
        Add up the samples of the batch first.
    share : Share
        Which of the batch's samples are given.

    Returns
    -------
    mean : Tensor
        A scalar.
    base, gain : Tensor, shape (B, K)
        The derivative.

    References
    ----------
    .. [1] Drozdzal et al., "The importance of skip connections in biomedical image
       segmentation", 2016. doi:10.1007/978-3-319-46976-8_19
    """
    shape = overlap.shape
    if batch_dice:
        overlap, predicted, reference = share.total(
            *(x.sum(0, keepdim=True) for x in (overlap, predicted, reference))
        )
    above = 2 * overlap + SMOOTH
    below = predicted + reference + SMOOTH
    total, count = (above / below).sum(), overlap.new_full((), overlap.numel())
    if not batch_dice:
        total, count = share.total(total, count)
    count = count.clamp(min=1)
    base = -above / below.square() / count
    gain = 2 / below / count
    return total / count, base.expand(shape), gain.expand(shape)


def check_shapes(logits: Tensor, target: Tensor, channels: int | None = None) -> None:
    """Raise TrainingError unless logits (B, K, *S) and labels (B, *S) fit."""
    wanted = (logits.shape[0], *logits.shape[2:])
    if tuple(target.shape) != wanted or target.is_floating_point():
        raise TrainingError(
            f"The loss got logits of shape {tuple(logits.shape)} and a target of shape "
            f"{tuple(target.shape)}, {target.dtype}; it needs integers of shape "
            f"{wanted}."
        )
    if channels is not None and logits.shape[1] != channels:
        raise TrainingError(
            f"The loss is made for {channels} channels and got {logits.shape[1]}."
        )


def precise(logits: Tensor) -> torch.dtype:
    """Return the type to compute in: float32, or float64 if the logits are."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def by_voxel(maps: Tensor) -> Tensor:
    """Return maps (B, K, *S) as (B, K, N), contiguous."""
    return maps.contiguous().reshape(*maps.shape[:2], math.prod(maps.shape[2:]))


def counted(labels: Tensor, ignore: int | None, dtype: torch.dtype) -> Tensor | None:
    """Return 1 where a label is not the ignored one, else 0; None: all count."""
    if ignore is None:
        return None
    return torch.ne(labels, ignore, out=labels.new_empty(labels.shape, dtype=dtype))
