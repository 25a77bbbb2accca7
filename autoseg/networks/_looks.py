"""Masks that voxels tell of: an answer at a voxel, and a map of each answer.

An answer is a row of numbers. A mask is the product of these with the channels of each
voxel [1]_, less the further a voxel is from where the answer says that its object is;
how far is told by an ellipse, which it says, too.

Legend: B batch, Q queries, E channels of the features, W channels of a query, S shape
of a resolution, T voxels of it that are looked at, D axes, R numbers of an answer.

References
----------
.. [1] Tian et al., "Conditional convolutions for instance segmentation", ECCV 2020.
   arXiv:2003.05664
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.spec.arrays.ellipses import pairs

MOST_TOKENS = 1024  # voxels of a resolution that are looked at: others are pooled
NOTHING = -12.0  # logit of a mask without a voxel
HIDDEN = 1e4  # taken from how sure a voxel is that lies in another one's mask


class Answers(nn.Module):
    """From what is known at places to answers.

    Parameters
    ----------
    width : int
        W.
    features : int
        E.
    dim : int
        D.
    """

    def __init__(self, width: int, features: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU()
        )
        self.embed = nn.Linear(width, features)
        # Where, the ellipse, and how much.
        self.where = nn.Linear(width, dim + len(pairs(dim)[0]) + 1)
        with torch.no_grad():
            self.where.weight.mul_(0.1)
            self.where.bias.zero_()
            self.where.bias[dim : 2 * dim] = 1.0  # a ball with a radius of 1

    def begin_alike(self) -> None:
        """Let all masks begin with the same channel, so that all of them teach it."""
        with torch.no_grad():
            self.embed.bias[0] = 1.0

    def forward(self, known: Tensor, anchors: Tensor) -> Tensor:
        """Return the answers (B, Q, R) of what is known (B, Q, W) at (..., Q, D)."""
        x = self.think(known)
        embedded, where = self.embed(x).float(), self.where(x).float()
        center = anchors + where[..., : self.dim]
        rows, columns = pairs(self.dim)
        parts = where[..., self.dim : -1]
        root = parts.new_zeros((*parts.shape[:-1], self.dim, self.dim))
        root[..., rows, columns] = parts
        root[..., columns, rows] = parts
        # Of the distance |root (p - c)|^2: what p p, p and 1 are multiplied with.
        form = (root[..., None] * root[..., None, :, :]).sum(-2)
        toward = (form * center[..., None, :]).sum(-1)
        twice = torch.tensor(
            [1.0 if r == c else 2.0 for r, c in zip(rows, columns, strict=True)],
            device=form.device,
        )
        squares = form[..., rows, columns] * twice
        level = where[..., -1:] - (toward * center).sum(-1, keepdim=True)
        return torch.cat([embedded, -squares, 2 * toward, level], -1)


class Scale:
    """One resolution: its voxels one after the other, with where they are.

    Parameters
    ----------
    level : Tensor, shape (B, E, *S)
        Features.
    finest : sequence of int, length D
        Voxels of the finest resolution.
    scale : float
        How many of these a distance of 1 is.
    """

    def __init__(self, level: Tensor, finest: Sequence[int], scale: float) -> None:
        self.shape = tuple(level.shape[2:])
        axes = [
            ((torch.arange(n, device=level.device) + 0.5) / n - 0.5) * whole / scale
            for n, whole in zip(self.shape, finest, strict=True)
        ]
        grid = torch.meshgrid(*axes, indexing="ij")
        self.places = torch.stack(grid, -1).flatten(0, -2)  # (T, D)
        self.ends = self.places.new_tensor([n / 2 / scale for n in finest])
        self._level = level.flatten(2)
        self._every: Tensor | None = None

    @property
    def tokens(self) -> Tensor:
        """Features, (B, T, E)."""
        return self._level.transpose(1, 2)

    def maps(self, answer: Tensor) -> Tensor:
        """Return the logits of masks as maps, (B, Q, *S)."""
        found: Tensor = self.masks(answer).unflatten(2, self.shape)
        return found

    def masks(self, answer: Tensor) -> Tensor:
        """Return the logits (B, Q, T) of masks that are told by (B, Q, R)."""
        with torch.autocast(answer.device.type, enabled=False):
            return torch.bmm(answer, self.every)

    @property
    def every(self) -> Tensor:
        """What answers are multiplied with, (B, R, T): features and places."""
        if self._every is None:
            rows, columns = pairs(self.places.shape[1])
            squares = self.places[:, rows] * self.places[:, columns]
            ones = torch.ones_like(self.places[:, :1])
            same = torch.cat([squares, self.places, ones], 1)
            level = self._level.float()
            self._every = torch.cat([level, same.T.expand(len(level), -1, -1)], 1)
        return self._every


def apart(looks: Tensor, count: int) -> Tensor:
    """Return the surest voxels, (B, Q), none of them in the mask of one before it.

    Parameters
    ----------
    looks : Tensor, shape (B, T, T)
        Of each voxel the logits of a mask.
    count : int
        Q; once none is left, those in masks follow.
    """
    return first_apart(looks.amax(2), looks > 0, count)


def first_apart(sure: Tensor, hides: Tensor, count: int) -> Tensor:
    """Return the surest (B, Q), none of which one before it hides.

    Parameters
    ----------
    sure : Tensor, shape (B, T)
        Logits.
    hides : Tensor of bool, shape (B, T, T)
        Whether the first one hides the second.
    count : int
        Q; once none is left, hidden ones follow.
    """
    batch = torch.arange(len(sure), device=sure.device)
    return _one_by_one(sure, lambda at: hides[batch, at], count)[0]


def apart_in(look: Tensor, every: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the surest voxels (B, Q), and which are in the mask of one before them.

    A voxel is as sure as it is of being in the mask that it tells of: one that is not
    in it knows no object.

    Parameters
    ----------
    look : Tensor, shape (B, T, R)
        Answers.
    every : Tensor, shape (B, R, T)
        What they are multiplied with, at the voxels that gave them.
    count : int
        Q; once none is left, those in masks follow.
    """
    sure = (look * every.transpose(1, 2)).sum(2)

    def hidden(at: Tensor) -> Tensor:
        masks = torch.bmm(taken(look, at[:, None]), every)
        return masks[:, 0] > 0

    with torch.autocast(look.device.type, enabled=False):
        return _one_by_one(sure, hidden, count)


def _one_by_one(
    sure: Tensor, hides: Callable[[Tensor], Tensor], count: int
) -> tuple[Tensor, Tensor]:
    """Return the surest (B, Q), and which of them one before it hides.

    Parameters
    ----------
    sure : Tensor, shape (B, T)
        Logits.
    hides : callable
        Given one of each sample (B,), says which it hides, (B, T).
    count : int
        Q.
    """
    left = sure
    chosen, hidden = [], []
    for _ in range(count):
        most, at = left.max(1)
        chosen.append(at)
        hidden.append(most)
        left = left - HIDDEN * hides(at)
        left = left.scatter(1, at[:, None], -HIDDEN * HIDDEN)
    return torch.stack(chosen, 1), torch.stack(hidden, 1) < -HIDDEN / 2


def emptied(answer: Tensor, which: Tensor) -> Tensor:
    """Return answers (B, Q, R), those that are told of (B, Q) with empty masks."""
    nothing = answer.new_zeros(answer.shape[-1])
    nothing[-1] = NOTHING
    return torch.where(which[..., None], nothing, answer)


def middles(coarse: Scale, fine: Scale) -> Tensor:
    """Return the numbers (T,) of the fine voxels in the middles of coarse ones."""
    found = torch.zeros((), dtype=torch.int64, device=fine.places.device)
    for few, many in zip(coarse.shape, fine.shape, strict=True):
        at = ((torch.arange(few, device=found.device) + 0.5) * many / few).long()
        found = found[..., None] * many + at
    return found.flatten()


def packed(look: Tensor, near: Scale, fine: Scale) -> Tensor:
    """Return answers, the voxels that gave them, and what they are multiplied with.

    Parameters
    ----------
    look : Tensor, shape (B, T, R)
        Answers.
    near : Scale
        The resolution of the voxels that gave them: T voxels.
    fine : Scale
        The finest: N voxels.

    Returns
    -------
    Tensor, shape (B, R + 1, 2 T + N)
        T columns with an answer and the number of the fine voxel in the middle of that
        which gave it; what answers are multiplied with in that resolution, and in the
        finest.
    """
    numbers = middles(near, fine).to(look.dtype).expand(len(look), 1, -1)
    told = torch.cat([look.transpose(1, 2), numbers], 1)
    every = torch.cat([near.every, fine.every], 2)
    return torch.cat([told, functional.pad(every, (0, 0, 0, 1))], 2)


def taken(values: Tensor, chosen: Tensor) -> Tensor:
    """Return rows (B, Q, N) of (B, T, N)."""
    return values.gather(1, chosen[..., None].expand(-1, -1, values.shape[-1]))


def looked_at(levels: Sequence[Tensor]) -> list[Tensor]:
    """Return all resolutions but the finest, coarsest first; that, if it is alone."""
    coarse = [level for level in levels if level.shape != levels[0].shape]
    return coarse[::-1] or [levels[0]]


def pooled(level: Tensor) -> Tensor:
    """Return features (B, E, *S) with at most `MOST_TOKENS` voxels, by their means."""
    pool = functional.avg_pool2d if level.dim() == 4 else functional.avg_pool3d
    while math.prod(level.shape[2:]) > MOST_TOKENS:
        shape = level.shape[2:]
        longest = max(shape)
        level = pool(level, [2 if 2 * size > longest else 1 for size in shape])
    return level


def shrunk(level: Tensor, shape: Sequence[int]) -> Tensor:
    """Return features (B, E, *S) in a coarser resolution, by their means."""
    if tuple(level.shape[2:]) == tuple(shape):
        return level
    found: Tensor = functional.interpolate(level, list(shape), mode="area")
    return found


def tokens(level: Tensor, shape: Sequence[int]) -> Tensor:
    """Return features (B, E, *S) as tokens (B, T, E) of a resolution.

    That of a finer level by their means, of a coarser one by linear interpolation.
    """
    if level.shape[2] * level.shape[-1] >= shape[0] * shape[-1]:
        level = shrunk(level, shape)
    else:
        level = enlarged(level, shape)
    return level.flatten(2).transpose(1, 2)


def enlarged(level: Tensor, shape: Sequence[int]) -> Tensor:
    """Return a map in a finer resolution, by linear interpolation."""
    mode = ("bilinear", "trilinear")[level.dim() - 4]
    found: Tensor = functional.interpolate(
        level, list(shape), mode=mode, align_corners=False
    )
    return found
