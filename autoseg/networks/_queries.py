"""Queries that look at a network's features, and answer with a mask each.

Legend: B batch, Q queries, E channels of the features, W channels of a query, S shape
of a resolution, T voxels of it that are looked at, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64  # channels of a query
PARTS = 4  # of an attention
MOST_TOKENS = 1024  # voxels of a resolution that queries look at: others are pooled
OCTAVES = 5  # of the waves that tell where a voxel is
LEAST_SEEN = -8.0  # logarithm of how little of a voxel is seen at least
REACH = 1.5  # distances of neighboring queries that one reaches over at the start


class QueryReader(nn.Module):
    """Learned queries; each becomes a map.

    A query begins somewhere in the patch. In each round it looks at one resolution
    after the other, from the coarsest on, mostly where its mask is so far [1]_, then
    at the other queries. Its mask is a product of its own numbers with the channels of
    each voxel, less the further a voxel is from where the query says that its object
    is.

    Parameters
    ----------
    features : int
        E.
    dim : int
        D.
    queries : int
        Q.
    blocks : int
        Rounds.

    References
    ----------
    .. [1] Cheng et al., "Masked-attention mask transformer for universal image
       segmentation", CVPR 2022. arXiv:2112.01527
    """

    def __init__(
        self, features: int, dim: int, *, queries: int = 50, blocks: int = 3
    ) -> None:
        super().__init__()
        self.queries, self.dim = queries, dim
        self.content = nn.Parameter(torch.randn(queries, WIDTH) * 0.5)
        self.register_buffer("anchors", anchors(queries, dim), persistent=True)
        self.project = nn.Linear(features, WIDTH)
        self.place = nn.Linear(2 * OCTAVES * dim, WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(blocks))
        self.norm = nn.LayerNorm(WIDTH)
        self.embed = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, features)
        )
        self.where = nn.Linear(WIDTH, dim + 2)  # where, how near, and how much
        apart = 2 / queries ** (1 / dim)
        near = 4 / (REACH * apart) ** 2
        with torch.no_grad():
            self.where.weight.mul_(0.1)
            self.where.bias.zero_()
            self.where.bias[dim] = math.log(math.expm1(near)) if near < 20 else near

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return outputs (B, Q, *S), those of the last round first.

        Parameters
        ----------
        levels : sequence of Tensor, shape (B, E, *S)
            The network's features, finest first.

        Returns
        -------
        list of Tensor
            The first has the finest resolution. Those of earlier rounds, which are
            for training only, have half of it.
        """
        finest = levels[0]
        scales = [_Scale(pooled(level)) for level in _scales(levels)]
        keys = [self.project(scale.tokens) for scale in scales]
        places = [self.place(waves(scale.places)) for scale in scales]
        queries = self.content.expand(len(finest), -1, -1)
        rounds = [self._weights(queries)]
        for number, block in enumerate(self.blocks):
            at = number % len(scales)
            own = self.place(waves(rounds[-1].center))
            seen = scales[at].masks(rounds[-1].weights).detach()
            bias = functional.logsigmoid(seen).clamp(min=LEAST_SEEN)
            queries = block(queries, own, keys[at], places[at], bias)
            rounds.append(self._weights(queries))
        outputs = [_Scale(finest).maps(rounds[-1].weights)]
        if not self.training and not torch.is_grad_enabled():
            return outputs
        half = functional.avg_pool2d if self.dim == 2 else functional.avg_pool3d
        steps = [2 if size % 2 == 0 else 1 for size in finest.shape[2:]]
        coarse = half(finest, steps)
        scale = _Scale(coarse)
        for one in rounds[-2::-1]:
            outputs.append(scale.maps(one.weights))
        return outputs

    def _weights(self, queries: Tensor) -> _Answer:
        """Return what queries (B, Q, W) say."""
        x = self.norm(queries)
        where = self.where(x)
        center = self.anchors + where[..., : self.dim]
        near = functional.softplus(where[..., self.dim : self.dim + 1])
        level = where[..., self.dim + 1 :]
        away = center.square().sum(-1, keepdim=True)
        parts = [self.embed(x), -near, 2 * near * center, level - near * away]
        return _Answer(torch.cat(parts, -1), center)


class _Answer(NamedTuple):
    """What queries say: weights of their masks, and where they are."""

    weights: Tensor
    center: Tensor


class _Scale:
    """One resolution: its voxels one after the other, with where they are."""

    def __init__(self, level: Tensor) -> None:
        self.shape = shape = tuple(level.shape[2:])
        axes = [
            (2 * torch.arange(size, device=level.device) + 1) / size - 1
            for size in shape
        ]
        grid = torch.meshgrid(*axes, indexing="ij")
        places = torch.stack(grid).flatten(1).to(level.dtype)  # (D, T)
        self.places = places.T
        away = places.square().sum(0, keepdim=True)
        ones = torch.ones_like(away)
        flat = level.flatten(2)
        same = torch.cat([away, places, ones]).expand(len(flat), -1, -1)
        self.tokens = flat.transpose(1, 2)  # (B, T, E)
        self._maps = torch.cat([flat, same], 1)

    def maps(self, weights: Tensor) -> Tensor:
        """Return the same as maps, (B, Q, *S)."""
        found: Tensor = self.masks(weights).unflatten(2, self.shape)
        return found

    def masks(self, weights: Tensor) -> Tensor:
        """Return the logits (B, Q, T) of masks with such weights."""
        return torch.bmm(weights, self._maps.to(weights.dtype))


class _Block(nn.Module):
    """One round: look at voxels, at the other queries, and think."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.talk = _Attention(), _Attention()
        self.think = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))

    def forward(
        self, queries: Tensor, own: Tensor, keys: Tensor, places: Tensor, bias: Tensor
    ) -> Tensor:
        x = self.norms[0](queries)
        queries = queries + self.look(x + own, keys + places, keys, bias)
        x = self.norms[1](queries)
        queries = queries + self.talk(x + own, x + own, x, None)
        thought: Tensor = queries + self.think(self.norms[2](queries))
        return thought


class _Attention(nn.Module):
    """Attention of several parts."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None
    ) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (PARTS, -1)).transpose(1, 2)
            for layer, x in (
                (self.query, query),
                (self.key, key),
                (self.value, value),
            )
        )
        mask = None if bias is None else bias[:, None].to(q.dtype)
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return out


def _scales(levels: Sequence[Tensor]) -> list[Tensor]:
    """Return what queries look at, coarsest first: all but the finest, if there are."""
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


def waves(places: Tensor) -> Tensor:
    """Return sines and cosines (..., 2 * OCTAVES * D) of places (..., D), -1 to 1."""
    scales = math.pi * 2.0 ** torch.arange(
        OCTAVES, device=places.device, dtype=places.dtype
    )
    angles = (places[..., None] * scales / 2).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], -1)


def anchors(count: int, dim: int) -> Tensor:
    """Return evenly spread places (count, D) from -1 to 1.

    Multiples of irrational steps, one for each axis, are far from each other however
    many there are.
    """
    root = 2.0
    for _ in range(60):  # of x**(D + 1) = x + 1
        root = (1 + root) ** (1 / (dim + 1))
    steps = torch.tensor([root ** -(axis + 1) for axis in range(dim)])
    numbers = torch.arange(1, count + 1)[:, None]
    return 2 * ((0.5 + numbers * steps) % 1) - 1
