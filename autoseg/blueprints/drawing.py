"""A network as a list of layers on tensors that have sizes and no values.

A declaration draws its layers on a `Drawing`. The planner counts what is drawn, and
`autoseg.blueprints.modules.module` makes modules of it; so a network is written down
once, and no torch is needed to plan with it.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints._sequence import Sequences
from autoseg.blueprints.tensors import Head as Head
from autoseg.blueprints.tensors import Layer as Layer
from autoseg.blueprints.tensors import Tensor as Tensor
from autoseg.errors import PlanError

ACTIVATIONS = (
    "leaky",
    "relu",
    "relu6",
    "elu",
    "gelu",
    "silu",
    "hard_swish",
    "prelu",
    "sigmoid",
    "hard_sigmoid",
)


class Drawing(Sequences):
    """What a network computes for one image.

    Parameters
    ----------
    channels : int
        Of the image.
    shape : sequence of int, length D
        The image's, per sample. Networks without tokens work on any other that they can
        divide; the shape then only matters for counting.
    outputs : int
        Channels of the logits: of all heads together.

    Attributes
    ----------
    image : Tensor
        What the network is given.
    tensors : list of Tensor
        By number.
    layers : list of Layer
        In the order of the forward pass.
    heads : list of Head
        In the order drawn; `finest_first` sorts them.
    """

    def act(
        self, x: Tensor, kind: str = "leaky", *, name: str = "", **options: Any
    ) -> Tensor:
        """Apply an activation to each number; ``prelu`` learns a slope and is named."""
        if kind not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise PlanError(f"There is no activation {kind!r}; there are {known}.")
        learned = kind == "prelu"
        return self._add(
            "act",
            (x,),
            x.channels,
            x.shape,
            name if learned else "",
            parameters=x.channels if learned else 0,
            act=kind,
            **options,
        )

    def add(self, *tensors: Tensor) -> Tensor:
        """Add tensors of one size."""
        first = tensors[0]
        for x in tensors[1:]:
            _same(first, x, first.channels == x.channels, "added")
        return self._add("add", tensors, first.channels, first.shape)

    def cat(self, *tensors: Tensor) -> Tensor:
        """Stack the channels of tensors of one shape."""
        for x in tensors[1:]:
            _same(tensors[0], x, True, "stacked")
        channels = sum(x.channels for x in tensors)
        return self._add("cat", tensors, channels, tensors[0].shape)

    def gate(self, x: Tensor, by: Tensor) -> Tensor:
        """Multiply features by a gate of one channel, or of one voxel."""
        one_channel = by.channels == 1 and by.shape == x.shape
        one_voxel = by.channels == x.channels and by.voxels == 1
        if not (one_channel or one_voxel or by == replace(x, number=by.number)):
            _same(x, by, False, "gated")
        return self._add("gate", (x, by), x.channels, x.shape)

    def max_pool(
        self,
        x: Tensor,
        stride: int | Sequence[int],
        kernel: int | Sequence[int] | None = None,
        *,
        fit: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Keep the largest number of each block.

        Parameters
        ----------
        x : Tensor
            What is pooled.
        stride : int or sequence of int, length D
            How many times smaller the result is.
        kernel : int or sequence of int, optional
            Edges of a block, by default the stride. Any other must be odd: blocks
            overlap, and reach over the border.
        fit : bool
            Where there are fewer voxels than in a block, they are one.

        Returns
        -------
        pooled, places : Tensor
            The second says for `unpool` where each number was.
        """
        stride = self.axes(stride)
        kernel = stride if kernel is None else self.axes(kernel)
        large = kernel, stride
        if fit:
            kernel = stride = tuple(map(min, stride, x.shape))
        if any(k != s and k % 2 == 0 for k, s in zip(kernel, stride, strict=True)):
            raise PlanError(f"A pool's kernel of {kernel} must be odd, or {stride}.")
        padding = tuple(
            0 if k == s else k // 2 for k, s in zip(kernel, stride, strict=True)
        )
        shape = tuple(
            (n + 2 * p - k) // s + 1
            for n, k, s, p in zip(x.shape, kernel, stride, padding, strict=True)
        )
        pooled = self._add(
            "max_pool",
            (x,),
            x.channels,
            shape,
            kernel=large[0],
            stride=large[1],
            padding=padding,
            fit=fit,
        )
        places = self._tensor(x.channels, pooled.shape)
        last = self.layers[-1]
        self.layers[-1] = last._replace(outputs=(pooled.number, places.number))
        return pooled, places

    def unpool(self, x: Tensor, places: Tensor, like: Tensor) -> Tensor:
        """Put numbers back where `max_pool` took them; zeros elsewhere."""
        _same(x, places, x.channels == places.channels, "unpooled")
        return self._add("unpool", (x, places, like), x.channels, like.shape)

    def avg_pool(self, x: Tensor, stride: int | Sequence[int]) -> Tensor:
        """Average over blocks."""
        stride = self.axes(stride)
        return self._add(
            "avg_pool", (x,), x.channels, _divided(x, stride), stride=stride
        )

    def mean(self, x: Tensor) -> Tensor:
        """Average over all voxels."""
        return self._add("mean", (x,), x.channels, (1,) * len(x.shape))

    def adaptive_pool(
        self, x: Tensor, size: int | Sequence[int], kind: str = "average"
    ) -> Tensor:
        """Pool to a shape, whatever there is; blocks overlap where it does not divide.

        Parameters
        ----------
        x : Tensor
            What is pooled.
        size : int or sequence of int, length D
            Edges of the result; where ``x`` is smaller, it stays as it is.
        kind : str
            ``"average"`` or ``"largest"`` of each block.
        """
        wanted = self.axes(size)
        if kind == "average" and max(wanted) == 1:
            return self.mean(x)
        shape = tuple(map(min, wanted, x.shape))
        return self._add(
            "adaptive_pool", (x,), x.channels, shape, size=wanted, pool=kind
        )

    def over_channels(self, x: Tensor) -> Tensor:
        """Average and largest number of each voxel: two channels."""
        return self._add("over_channels", (x,), 2, x.shape)

    # Tokens -------------------------------------------------------------------------

    def tokens(self, x: Tensor) -> Tensor:
        """Put voxels in a row, each a token: (C, *S) becomes (N, C)."""
        return self._add("tokens", (x,), x.channels, (x.voxels,))

    def grid(self, x: Tensor, like: Tensor) -> Tensor:
        """Put tokens back on the grid of a tensor with as many voxels."""
        if x.voxels != like.voxels:
            _same(x, like, False, "put on a grid")
        return self._add("grid", (x, like), x.channels, like.shape)

    def linear(
        self, x: Tensor, channels: int, *, bias: bool = True, name: str
    ) -> Tensor:
        """Multiply each token by a learned matrix."""
        weights = x.channels * channels
        return self._add(
            "linear",
            (x,),
            channels,
            x.shape,
            name,
            weights=weights,
            parameters=weights + channels * bias,
            multiply_adds=weights * x.voxels,
            bias=bias,
        )

    def position(self, x: Tensor, *, name: str) -> Tensor:
        """Add a learned vector to each token; fixes the shape of the image."""
        return self._add(
            "position",
            (x,),
            x.channels,
            x.shape,
            name,
            parameters=x.channels * x.voxels,
            tokens=x.voxels,
        )

    def attention(self, x: Tensor, heads: int) -> Tensor:
        """Let tokens look at each other.

        Parameters
        ----------
        x : Tensor
            Query, key and value of each token in a row: 3 C channels.
        heads : int
            C is cut into so many parts, each compared for itself.
        """
        channels = x.channels // 3
        if x.channels != 3 * channels or channels % heads:
            raise PlanError(
                f"{x.channels} channels are no queries, keys and values of {heads} "
                "heads; give a multiple of three times the heads."
            )
        return self._add(
            "attention",
            (x,),
            channels,
            x.shape,
            multiply_adds=2 * channels * x.voxels**2,
            heads=heads,
        )

    def affinity(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Let tokens look at each other; all products together have a softmax of 1.

        Parameters
        ----------
        query, key, value : Tensor
            Of each token, the first two of equal channels.
        """
        _same(query, key, query.channels == key.channels, "compared")
        channels = query.channels + value.channels
        return self._add(
            "affinity",
            (query, key, value),
            value.channels,
            value.shape,
            multiply_adds=channels * value.voxels**2,
        )


def _divided(x: Tensor, stride: Sequence[int]) -> tuple[int, ...]:
    return tuple(n // s for n, s in zip(x.shape, stride, strict=True))


def _same(a: Tensor, b: Tensor, good: bool, verb: str) -> None:
    if a.shape != b.shape or not good:
        raise PlanError(
            f"Two tensors of a network cannot be {verb}: {a.channels} channels of "
            f"{a.shape}, and {b.channels} of {b.shape}."
        )
