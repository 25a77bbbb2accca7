"""Metric learning of instances: what points at the middle of each, and nothing else.

Legend: B batch, D axes, S spatial shape, N instances, M voxels, P pairs of an instance
and a voxel near it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

MOST_SHARP = 8.0  # bounds of the logarithm of the precision
AROUND = 0.5  # margin around an instance that counts, in its own extents
LEAST_AROUND = 3  # ... and in voxels


@LOSSES.register
class Embedding(Loss):
    """Soft Dice of each instance with what points near to its center.

    Channels are D offsets, the logarithm of a precision p, and a seed. A voxel's
    embedding e is its place plus its offset; c is the instance's voxel that is nearest
    to its center of mass (a center that is free would wander off to where another
    instance's is [2]_), and p the mean over its voxels. A voxel is in it as far as
    ``exp(-p |e - c|^2)`` says, compared by Dice with the instance in a box around it.
    Precisions vary little within an instance, and the seed learns that very number
    inside, and 0 in the background [1]_ [2]_.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    edges : sequence of float, length D or more
        Edge of a voxel along each axis, slowest first; offsets are in the same unit.
        With more than D, the last ones count.
    spread : float
        Weight of the variance of the precision's logarithm.
    seed : float
        Weight of the seeds' squared error.
    most_pairs : int
        Of instances and voxels; with more, each box is thinned out evenly, so that
        memory has a limit.
    ignore_index : int, optional
        Voxels with this label do not count.

    References
    ----------
    .. [1] Neven et al., "Instance segmentation by jointly optimizing spatial embeddings
       and clustering bandwidth", CVPR 2019. arXiv:1906.11109
    .. [2] Lalit et al., "EmbedSeg: embedding-based instance segmentation for biomedical
       microscopy data", Medical Image Analysis 81, 2022.
       doi:10.1016/j.media.2022.102523
    """

    takes_labels = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        edges: Sequence[float] = (0.1, 0.1, 0.1),
        spread: float = 1.0,
        seed: float = 1.0,
        most_pairs: int = 2**21,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.edges = tuple(edges)
        self.spread, self.seed, self.most_pairs = spread, seed, most_pairs

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        # Outside of autocast: a place is exact in float32 only.
        logits = logits.to(precise(logits))
        shape, axes = target.shape[1:], target.ndim - 1
        ids = target.flatten(1).long().clamp(min=0)
        hidden = self._hidden(target)
        if hidden is not None:
            ids = ids.masked_fill(hidden.reshape(ids.shape), 0)
        voxels = ids.shape[1]
        top = int(ids.max()) + 1 if ids.numel() else 1
        keys = (
            ids + top * torch.arange(len(ids), device=ids.device)[:, None]
        ).flatten()
        inside = ids.flatten().nonzero()[:, 0]
        maps = logits.movedim(1, -1).flatten(0, -2)  # (B * voxels, D + 2)
        seeds = maps[:, axes + 1]
        shown = seeds if hidden is None else seeds.masked_fill(hidden, 0)
        outside = shown.square().sum() - seeds[inside].square().sum()
        unseen = 0 if hidden is None else int(hidden.sum())
        outside = outside / max(1, len(seeds) - len(inside) - unseen)
        if not len(inside):
            return self.seed * outside
        edges = logits.new_tensor(self.edges[-axes:])
        names, owner = torch.unique(keys[inside], return_inverse=True)
        count = len(names)
        places = _unraveled(inside % voxels, shape)

        def embedded(at: Tensor, place: Tensor) -> Tensor:
            return place * edges + maps[at, :axes]

        own = embedded(inside, places)
        sharp = maps[inside, axes].clamp(-MOST_SHARP, MOST_SHARP)
        center = _middle(places * edges, owner, count)
        precision = _mean(sharp[:, None], owner, count)[:, 0]
        spread = _mean((sharp - precision[owner]).square()[:, None], owner, count)
        precision = precision.exp()

        near, which = self._pairs(places, owner, count, shape)
        at = (names // top)[which] * voxels + _raveled(near, shape)
        if hidden is not None:
            near, which, at = (part[~hidden[at]] for part in (near, which, at))
        away = (embedded(at, near) - center[which]).square().sum(1)
        member = torch.exp(-away * precision[which])
        mine = (keys[at] == names[which]).to(member.dtype)
        zero = member.new_zeros(count)
        overlap = zero.index_add(0, which, member * mine)
        total = zero.index_add(0, which, member + mine)
        dice = 2 * overlap / total.clamp(min=1e-6)

        close = torch.exp(-(own - center[owner]).square().sum(1) * precision[owner])
        error = (seeds[inside] - close.detach()).square().mean()
        loss: Tensor = (
            1
            - dice.mean()
            + self.spread * spread.mean()
            + self.seed * (error + outside)
        )
        return loss

    def _hidden(self, target: Tensor) -> Tensor | None:
        """Return which of all voxels do not count, bool (B * voxels,)."""
        return (
            None if self.ignore_index is None else target.flatten() == self.ignore_index
        )

    def _pairs(
        self, places: Tensor, owner: Tensor, count: int, shape: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Return the places (P, D) in the boxes around instances, and the instances."""
        index = owner[:, None].expand_as(places)
        blank = places.new_zeros((count, places.shape[1]))
        low = blank.scatter_reduce(0, index, places, "amin", include_self=False)
        high = blank.scatter_reduce(0, index, places, "amax", include_self=False)
        margin = ((high - low + 1) * AROUND).long().clamp(min=LEAST_AROUND)
        last = torch.tensor(shape, device=places.device) - 1
        low, high = (low - margin).clamp(min=0), torch.minimum(high + margin, last)
        size = high - low + 1
        number = size.prod(1)
        thin = max(1, -(-int(number.sum()) // self.most_pairs))
        number = -(-number // thin)
        which = torch.repeat_interleave(
            torch.arange(count, device=places.device), number
        )
        start = number.cumsum(0) - number
        rest = (torch.arange(len(which), device=places.device) - start[which]) * thin
        parts = []
        for axis in reversed(range(places.shape[1])):
            edge = size[which, axis]
            parts.append(low[which, axis] + rest % edge)
            rest = rest // edge
        return torch.stack(parts[::-1], dim=1), which

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 6, 8), dtype=torch.int16)
        target[:, 1:4, 1:4] = 1
        target[:, 2:5, 5:8] = 7
        loss = cls(edges=(1.0, 1.0))
        places = torch.stack(
            torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
        )
        perfect = torch.zeros((2, 4, 6, 8))
        perfect[:, 2] = 6.0
        for number, center in ((1, (2.0, 2.0)), (7, (3.0, 6.0))):
            mask = target[0] == number
            to = torch.tensor(center)[:, None] - places[:, mask]
            perfect[:, :2, mask] = to
            perfect[:, 3, mask] = 1.0
        return loss, target, perfect


def _mean(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Return the means (N, K) of values (M, K) that belong to N instances."""
    total = values.new_zeros((count, values.shape[1])).index_add(0, owner, values)
    return total / torch.bincount(owner, minlength=count)[:, None]


def _middle(places: Tensor, owner: Tensor, count: int) -> Tensor:
    """Return the place (N, D) of each instance's (M, D) nearest to their mean."""
    away = (places - _mean(places, owner, count)[owner]).square().sum(1)
    least = away.new_zeros(count).scatter_reduce(
        0, owner, away, "amin", include_self=False
    )
    order = torch.arange(len(owner), device=owner.device)
    order = torch.where(away <= least[owner], order, len(owner))
    first = torch.full_like(least, len(owner), dtype=order.dtype)
    return places[first.scatter_reduce(0, owner, order, "amin")]


def _unraveled(index: Tensor, shape: Sequence[int]) -> Tensor:
    """Return places (M, D) from linear indices."""
    parts = []
    for size in reversed(shape):
        parts.append(index % size)
        index = index // size
    return torch.stack(parts[::-1], dim=1)


def _raveled(places: Tensor, shape: Sequence[int]) -> Tensor:
    """Return linear indices of places (M, D)."""
    index = torch.zeros_like(places[:, 0])
    for axis, size in enumerate(shape):
        index = index * size + places[:, axis]
    return index
