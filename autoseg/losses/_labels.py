"""What a label map says of each channel, and losses that are made of it.

Legend: B batch, K channels of the head, F channels of the foreground, S spatial shape,
N voxels of one sample.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.losses._dice import SMOOTH, by_voxel, check_shapes, precise
from autoseg.losses.base import ALONE, Loss, Share

MAY_BE = -1  # autoseg.tasks.semantic.partly: 1 is, 0 is not, -1 may be
Partly = Sequence[tuple[int, Sequence[int]]]


def meanings(
    channels: int,
    regions: Sequence[Sequence[int]] | None,
    ignore: int | None,
    partly: Partly | None,
) -> Tensor:
    """Return what each label says of each channel: 1 is, 0 is not, -1 may be.

    Parameters
    ----------
    channels : int
        K.
    regions : sequence of sequence of int, or None
        The labels that make up each channel; None: the label is the channel.
    ignore : int or None
        The label that says nothing.
    partly : sequence of (int, sequence of int), or None
        Further labels, and what they say of each channel.

    Returns
    -------
    Tensor of int8, shape (labels + 1, K)
        Row 0 is that of the label -1, which means what 0 means.
    """
    rows = {value: list(row) for value, row in partly or ()}
    if regions is None:
        own = {k: [int(k == c) for c in range(channels)] for k in range(channels)}
    else:
        there = {0, *(value for region in regions for value in region)}
        own = {v: [int(v in region) for region in regions] for v in there}
    rows = {**own, **rows}
    if ignore is not None and ignore >= -1:
        rows[ignore] = [MAY_BE] * channels
    table = torch.zeros((max(rows) + 2, channels), dtype=torch.int8)
    table[0] = torch.tensor(rows[0])
    for value, row in rows.items():
        table[value + 1] = torch.tensor(row)
    return table


@dataclass
class Seen:
    """Logits of a batch, and what is known of their voxels.

    Parameters
    ----------
    z : Tensor, shape (B, K, N)
        Logits, float32 or better.
    says : Tensor of int8, shape (B, K, N)
        1 the voxel is of the channel, 0 it is not, -1 it may be.
    exclusive : bool
        Channels exclude each other, and the first is the background.
    ignored : Tensor of bool, shape (B, N), or None
        Where nobody has looked; None: nowhere.
    shape : tuple of int
        S.
    """

    z: Tensor
    says: Tensor
    exclusive: bool
    ignored: Tensor | None
    shape: tuple[int, ...]

    @property
    def first(self) -> int:
        """The first channel of the foreground."""
        return 1 if self.exclusive else 0

    @cached_property
    def p(self) -> Tensor:
        """Probabilities of the foreground, (B, F, N)."""
        return self.z.softmax(1)[:, 1:] if self.exclusive else self.z.sigmoid()

    @cached_property
    def g(self) -> Tensor:
        """1 where a voxel is of a channel of the foreground, else 0: (B, F, N)."""
        return (self.says[:, self.first :] == 1).to(self.z.dtype)

    @cached_property
    def known(self) -> Tensor:
        """1 where it is known whether a voxel is of a channel, else 0: (B, F, N)."""
        return (self.says[:, self.first :] != MAY_BE).to(self.z.dtype)

    @cached_property
    def spoken_of(self) -> Tensor:
        """1 where a sample speaks of a channel of the foreground, else 0: (B, F).

        One voxel that may be of a channel is enough for it not to: its class was not
        annotated there. What nobody has looked at does not matter.
        """
        silent = self.says[:, self.first :] == MAY_BE
        if self.ignored is not None:
            silent &= ~self.ignored[:, None]
        return (~silent.any(2)).to(self.z.dtype)

    @cached_property
    def entropy(self) -> Tensor:
        """Minus the log of the probability of what is said: (B, 1 or K, N).

        Of channels that exclude each other, that a voxel is of one of those that it may
        be of; otherwise of each channel alone.
        """
        if self.exclusive:
            impossible = self.says == 0
            said = self.z.masked_fill(impossible, -torch.inf).logsumexp(1, keepdim=True)
            return self.z.logsumexp(1, keepdim=True) - said
        g = (self.says == 1).to(self.z.dtype)
        return functional.softplus(self.z * (1 - 2 * g)) * self.counts

    @cached_property
    def counts(self) -> Tensor:
        """1 where something is said, else 0: as `entropy`, (B, 1 or K, N)."""
        if not self.exclusive:
            return (self.says != MAY_BE).to(self.z.dtype)
        if self.ignored is None:
            return torch.ones_like(self.z[:, :1])
        return (~self.ignored[:, None]).to(self.z.dtype)

    def on_grid(self, maps: Tensor) -> Tensor:
        """Return maps (B, F, N) as (B, F, *S)."""
        return maps.reshape(*maps.shape[:2], *self.shape)


def look(
    logits: Tensor,
    target: Tensor,
    table: Tensor,
    exclusive: bool,
    ignore: int | None,
) -> Seen:
    """Return what is known of each voxel.

    Parameters
    ----------
    logits : Tensor, shape (B, K, *S)
        Of the head.
    target : Tensor of int, shape (B, *S)
        Labels.
    table : Tensor
        Of `meanings`.
    exclusive : bool
        Channels exclude each other.
    ignore : int or None
        The label that says nothing.
    """
    z = by_voxel(logits.to(precise(logits)))
    labels = target.reshape(len(target), -1)
    says = table.to(labels.device)[labels.long() + 1].movedim(2, 1)
    ignored = None if ignore is None else labels == ignore
    return Seen(z, says, exclusive, ignored, tuple(target.shape[1:]))


def mean_dice(seen: Seen, batch_dice: bool, share: Share = ALONE) -> Tensor:
    """Return the mean soft Dice of the foreground, of what samples speak of."""
    p, g, known = seen.p, seen.g, seen.known
    sums = (p * g * known).sum(2), (p * known).sum(2), g.sum(2)
    return mean_score(
        lambda overlap, predicted, reference: (
            (2 * overlap + SMOOTH) / (predicted + reference + SMOOTH)
        ),
        sums,
        seen.spoken_of,
        batch_dice,
        share,
    )


def mean_score(
    score: Callable[..., Tensor],
    sums: Sequence[Tensor],
    spoken_of: Tensor,
    batch_dice: bool,
    share: Share = ALONE,
) -> Tensor:
    """Return the mean over channels, and samples, of what sums over voxels give.

    Parameters
    ----------
    score : callable
        Given sums of one shape, returns as many scores.
    sums : sequence of Tensor, shape (B, F)
        Over the voxels of each sample.
    spoken_of : Tensor, shape (B, F)
        1 where they count.
    batch_dice : bool
        Add up the samples of the batch first.
    share : Share
        Which of the batch's samples are given.
    """
    counted = spoken_of
    if batch_dice:
        own = [(one * spoken_of).sum(0, keepdim=True) for one in sums]
        *sums, number = share.total(*own, spoken_of.sum(0, keepdim=True))
        counted = (number > 0).to(spoken_of.dtype)
    total, count = (score(*sums) * counted).sum(), counted.sum()
    if not batch_dice:
        total, count = share.total(total, count)
    return total / count.clamp(min=1)


def mean_of(values: Tensor, counts: Tensor, share: Share = ALONE) -> Tensor:
    """Return the mean over the voxels that count, of the whole batch."""
    total, count = share.total((values * counts).sum(), counts.sum())
    return total / count.clamp(min=1)


def dice_and_entropy(seen: Seen, batch_dice: bool, share: Share = ALONE) -> Tensor:
    """Return mean entropy minus mean soft Dice, as `dice_ce` and `dice_bce` do."""
    entropy = mean_of(seen.entropy, seen.counts, share)
    return entropy - mean_dice(seen, batch_dice, share)


class LabelLoss(Loss):
    """A loss of a label map, for classes that exclude each other, or for regions.

    A subclass computes it in `of`. Nothing of what nobody annotated is in what `Seen`
    gives but where it says so.

    Parameters
    ----------
    batch_dice : bool
        What is a ratio of sums over voxels is one of sums over the whole batch.
    regions : list of list of int, optional
        The label values that make up the region of each channel; by default labels are
        channels that exclude each other, and the first is the background.
    ignore_index : int, optional
        Voxels with this label do not count.
    partly : list of (int, list of int), optional
        Labels of voxels of which not everything is known: of each channel 1, it is, 0,
        it is not, or -1, it may be.
    """

    takes_labels: ClassVar[bool] = True
    sums_up: ClassVar[bool] = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
    ) -> None:
        super().__init__()
        self.batch_dice = batch_dice
        self.regions = regions
        self.ignore_index = ignore_index
        self.partly = partly

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        check_shapes(logits, target, len(self.regions) if self.regions else None)
        return self.of(self.seen(logits, target))

    def seen(self, logits: Tensor, target: Tensor) -> Seen:
        """Return what is known of each voxel."""
        table = meanings(logits.shape[1], self.regions, self.ignore_index, self.partly)
        exclusive = self.regions is None
        return look(logits, target, table, exclusive, self.ignore_index)

    @abstractmethod
    def of(self, seen: Seen) -> Tensor:
        """Return the loss of what is known, a scalar."""

    def scored(self, score: Callable[..., Tensor], seen: Seen, *sums: Tensor) -> Tensor:
        """Return `mean_score` of sums over voxels, (B, F)."""
        of = seen.spoken_of, self.batch_dice, self.batch
        return mean_score(score, sums, *of)

    def mean(self, values: Tensor, counts: Tensor) -> Tensor:
        """Return the mean over the voxels that count, of the whole batch."""
        return mean_of(values, counts, self.batch)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss: Any = cls()
        return loss, *example_of_classes()


def example_of_classes() -> tuple[Tensor, Tensor]:
    """Return labels (2, 6, 8) of three classes, and logits that fit them perfectly."""
    target = torch.zeros((2, 6, 8), dtype=torch.int16)
    target[:, 1:3, 2:5] = 1
    target[0, 4:] = 2
    return target, torch.stack([target == k for k in range(3)], dim=1) * 200.0
