"""Queries that look at a network's features, and answer with a mask each.

Legend: B batch, Q queries, E channels of the features, W channels of a query, S shape
of a resolution, T voxels of it that are looked at, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.networks._looks import (
    Answers,
    Scale,
    apart,
    apart_in,
    emptied,
    looked_at,
    packed,
    pooled,
    shrunk,
    taken,
    tokens,
)

WIDTH = 64  # channels of a query
PARTS = 4  # of an attention
OCTAVES = 5  # of the waves that tell where a voxel is
LEAST_SEEN = -8.0  # logarithm of how little of a voxel is seen at least


class QueryReader(nn.Module):
    """Queries that begin at voxels; each becomes a map.

    Each voxel of a coarse resolution gives an answer by itself: the first look. The
    surest become queries, but none that lies in the mask of a surer one, so that
    objects that cross have a query each [1]_. In each round queries look at one
    resolution, from the coarsest on, mostly where their mask is so far [2]_, and then
    at each other. A mask is the product of an answer's numbers with the channels of
    each voxel [3]_, less the further a voxel is from where the answer says that its
    object is; how far is told by an ellipse, which it says, too.

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
    scale : float
        Voxels that a distance of 1 is, about half an object.
    fine : bool
        What a voxel tells is thought of on all coarse resolutions together, and learned
        at points of the finest one; a voxel is as sure as of being in the mask that it
        tells of itself, and where all that are left are in the masks of surer ones,
        there is no object. Else it knows its own resolution, is as sure as the surest
        voxel of its mask, and learns that in its own resolution.

    References
    ----------
    .. [1] Li et al., "Mask DINO: towards a unified transformer-based framework for
       object detection and segmentation", CVPR 2023. arXiv:2206.02777
    .. [2] Cheng et al., "Masked-attention mask transformer for universal image
       segmentation", CVPR 2022. arXiv:2112.01527
    .. [3] Tian et al., "Conditional convolutions for instance segmentation", ECCV 2020.
       arXiv:2003.05664
    """

    def __init__(
        self,
        features: int,
        dim: int,
        *,
        queries: int = 50,
        blocks: int = 1,
        scale: float = 10.0,
        fine: bool = False,
    ) -> None:
        super().__init__()
        self.queries, self.dim, self.scale = queries, dim, scale
        self.fine = fine
        self.project = nn.Linear(features, WIDTH)
        if blocks:
            self.place = nn.Linear(2 * OCTAVES * dim, WIDTH)
        self.blocks = nn.ModuleList(_Block() for _ in range(blocks))
        self.answers = Answers(WIDTH, features, dim)
        if fine:
            self.answers.begin_alike()

    def forward(
        self,
        levels: Sequence[Tensor],
        beside: Mapping[str, Sequence[Tensor]] | None = None,
    ) -> list[Tensor]:
        """Return outputs, those of the last round first.

        Parameters
        ----------
        levels : sequence of Tensor, shape (B, E, *S)
            The network's features, finest first.
        beside : mapping of str to sequence of Tensor, optional
            What the network gives for every head; not looked at.

        Returns
        -------
        list of Tensor
            The first has the finest resolution, (B, Q, *S). The others are for training
            only: those of earlier rounds, with half of it, and the first look: of each
            voxel of a coarse resolution a map in that resolution, (B, *T, *T), or, if
            it is learned in the finest one, what maps are made of; see `packed`.
        """
        finest = levels[0].float()
        shape = tuple(finest.shape[2:])
        scales = [
            Scale(pooled(level), shape, self.scale) for level in looked_at(levels)
        ]
        first = scales[-1]
        found = self.project(first.tokens)
        if self.fine:
            for level in looked_at(levels)[:-1]:
                found = found + self.project(tokens(level, first.shape))
        look = self.answers(found, first.places)
        near = Scale(shrunk(finest, first.shape), shape, self.scale)
        if self.fine:
            every = near.every.detach()
            chosen, hidden = apart_in(look.detach(), every, self.queries)
        else:
            looks = near.masks(look)
            chosen = apart(looks.detach(), self.queries)
        queries, answer = taken(found, chosen), taken(look, chosen)
        anchors, answers = first.places[chosen], []
        for number, block in enumerate(self.blocks):
            scale = scales[number % len(scales)]
            where = Scale(shrunk(finest, scale.shape), shape, self.scale)
            seen = where.masks(answer.detach())
            bias = functional.logsigmoid(seen).clamp(min=LEAST_SEEN)
            own = self.place(waves(anchors / first.ends))
            places = self.place(waves(scale.places / first.ends))
            queries = block(queries, own, self.project(scale.tokens), places, bias)
            answer = self.answers(queries, anchors)
            answers.append(answer)
        answers = answers or [answer]
        if self.fine:
            answers = [emptied(one, hidden) for one in answers]
        whole = Scale(finest, shape, self.scale)
        outputs = [whole.maps(answers[-1])]
        if not self.training and not torch.is_grad_enabled():
            return outputs
        if len(answers) > 1:
            half = shrunk(finest, [n // 2 if n % 2 == 0 else n for n in shape])
            coarse = Scale(half, shape, self.scale)
            outputs += [coarse.maps(one) for one in answers[-2::-1]]
        if self.fine:
            return [*outputs, packed(look, near, whole)]
        looks = looks.unflatten(2, first.shape).unflatten(1, first.shape)
        return [*outputs, looks]


class LocationReader(QueryReader):
    """Voxels of a coarse resolution that answer by themselves, the surest of them.

    They are cells of a grid that have a mask each, made by kernels of their own [1]_.

    Parameters
    ----------
    features : int
        E.
    dim : int
        D.
    locations : int
        Q.
    scale : float
        Voxels that a distance of 1 is, about half an object.

    References
    ----------
    .. [1] Wang et al., "SOLOv2: dynamic and fast instance segmentation", NeurIPS 2020.
       arXiv:2003.10152
    """

    def __init__(
        self, features: int, dim: int, *, locations: int = 50, scale: float = 10.0
    ) -> None:
        super().__init__(features, dim, queries=locations, blocks=0, scale=scale)


class _Block(nn.Module):
    """One round: look at voxels, at the other queries, and think."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.talk = _Attention(), _Attention()
        last = nn.Linear(2 * WIDTH, WIDTH)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.think = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), last)
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
        nn.init.zeros_(self.out.weight)  # at first, what a voxel said by itself
        nn.init.zeros_(self.out.bias)

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


def waves(places: Tensor) -> Tensor:
    """Return sines and cosines (..., 2 * OCTAVES * D) of places (..., D), -1 to 1."""
    scales = math.pi * 2.0 ** torch.arange(
        OCTAVES, device=places.device, dtype=places.dtype
    )
    angles = (places[..., None] * scales / 2).flatten(-2)
    return torch.cat([angles.sin(), angles.cos()], -1)
