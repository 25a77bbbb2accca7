"""What a network computes, as a list of operations on tensors without values.

`build_graph` repeats the forward pass of `autoseg.networks.plain_unet` and
`autoseg.networks.residual_unet` in numbers: how large each tensor is, which ones
autograd keeps for the backward pass, and which ones Python still holds while an
operation runs. tests/planners/test_memory.py compares all three with the networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from autoseg.errors import PlanError
from planners._family import KNOWN


@dataclass(frozen=True)
class Op:
    """One operation.

    Parameters
    ----------
    kind : str
        ``"conv"``, ``"up"``, ``"norm"``, ``"act"`` (in place), ``"add"``, ``"cat"``,
        ``"pool"`` or ``"head"``.
    inputs : tuple of int
        Tensors that are read.
    output : int
        The tensor that is written.
    saved : tuple of int
        Tensors that the backward pass needs.
    held : tuple of int
        Tensors that are alive meanwhile, though this operation does not need them.
    weights : int
        Elements of convolution kernels; those of precision and of matrix units.
    parameters : int
        All elements that are learned.
    statistics : int
        Elements per sample in float32 that the backward pass needs besides.
    multiply_adds : int
        Of the forward pass, per sample.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    saved: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    weights: int = 0
    parameters: int = 0
    statistics: int = 0
    multiply_adds: int = 0


@dataclass
class Graph:
    """Tensors and operations of one forward pass.

    Parameters
    ----------
    dim : int
        Number of spatial axes.
    norm : str
        ``"instance"`` or ``"batch"``.
    bias : bool
        Convolutions have a bias.

    Attributes
    ----------
    channels, voxels : list of int
        Size of each tensor, per sample.
    ops : list of Op
        In the order of the forward pass.
    logits : list of int
        Tensors of the outputs, finest first.
    unused : int
        Parameters of heads that have no output.
    """

    dim: int = 3
    norm: str = "instance"
    bias: bool = True
    channels: list[int] = field(default_factory=list, init=False)
    voxels: list[int] = field(default_factory=list, init=False)
    ops: list[Op] = field(default_factory=list, init=False)
    logits: list[int] = field(default_factory=list, init=False)
    unused: int = field(default=0, init=False)
    _held: list[int] = field(default_factory=list, init=False)

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(op.parameters for op in self.ops) + self.unused

    def elements(self, tensor: int) -> int:
        """Return the elements of a tensor, per sample."""
        return self.channels[tensor] * self.voxels[tensor]

    def tensor(self, channels: int, voxels: int) -> int:
        """Enter a tensor and return its number."""
        self.channels.append(channels)
        self.voxels.append(voxels)
        return len(self.channels) - 1

    @contextmanager
    def holding(self, *tensors: int) -> Iterator[None]:
        """Keep tensors alive while the operations inside run."""
        self._held += tensors
        yield
        del self._held[len(self._held) - len(tensors) :]

    def _add(self, kind: str, inputs: tuple[int, ...], output: int, **more: Any) -> int:
        op = Op(kind, inputs, output, held=tuple(self._held), **more)
        self.ops.append(op)
        return output

    def conv(
        self,
        x: int,
        channels: int,
        taps: int,
        voxels: int,
        *,
        kind: str = "conv",
        bias: bool | None = None,
    ) -> int:
        """Convolve; ``taps`` is the number of inputs that one output adds up."""
        weights = self.channels[x] * channels * taps
        if kind == "up":  # each output has one input; the kernel is as large as a step
            multiply_adds = self.channels[x] * channels * voxels
        else:
            multiply_adds = weights * voxels
        return self._add(
            kind,
            (x,),
            self.tensor(channels, voxels),
            saved=(x,),
            weights=weights,
            parameters=weights + channels * (self.bias if bias is None else bias),
            multiply_adds=multiply_adds,
        )

    def normalize(self, x: int) -> int:
        """Normalize each channel, with a scale and a shift."""
        c = self.channels[x]
        # Mean and deviation; instance norm also repeats its scale for each sample.
        statistics = 3 * c if self.norm == "instance" else 0
        y = self.tensor(c, self.voxels[x])
        return self._add(
            "norm", (x,), y, saved=(x,), parameters=2 * c, statistics=statistics
        )

    def activate(self, x: int) -> int:
        """Apply a leaky ReLU in place."""
        return self._add("act", (x,), x, saved=(x,))

    def join(self, kind: str, a: int, b: int) -> int:
        """Add two tensors, or stack their channels (``"cat"``)."""
        both = self.channels[a] + self.channels[b]
        channels = both if kind == "cat" else self.channels[a]
        return self._add(kind, (a, b), self.tensor(channels, self.voxels[a]))

    def pool(self, x: int, voxels: int) -> int:
        """Average over blocks."""
        y = self.tensor(self.channels[x], voxels)
        return self._add("pool", (x,), y, saved=(x,))

    def block(
        self, x: int, channels: int, taps: int, voxels: int, *, activate: bool = True
    ) -> int:
        """Convolve, normalize and, if asked for, activate."""
        with self.holding(x):
            y = self.normalize(self.conv(x, channels, taps, voxels))
            return self.activate(y) if activate else y


def build_graph(
    network: str,
    options: Mapping[str, Any],
    patch_size: Sequence[int],
    *,
    in_channels: int,
    out_channels: int,
    levels: int | None = None,
) -> Graph:
    """Return the forward pass of a network.

    Parameters
    ----------
    network : str
        ``"plain_unet"`` or ``"residual_unet"``.
    options : mapping
        The network's options in the plan.
    patch_size : sequence of int, length D
        Spatial shape of the input.
    in_channels, out_channels : int
        Channels of the image, and of all heads together.
    levels : int, optional
        How many levels of the decoder have outputs; by default all of them, as deep
        supervision needs.

    Returns
    -------
    Graph
        For one sample.

    Raises
    ------
    PlanError
        If the network is another one.
    """
    if network not in KNOWN:
        raise PlanError(
            f"What network {network!r} costs is unknown; known are {', '.join(KNOWN)}."
        )
    graph = Graph(
        dim=len(patch_size),
        norm=options.get("norm", "instance"),
        bias=bool(options.get("bias", True)),
    )
    sizes = _sizes(patch_size, options["strides"])
    x = graph.tensor(in_channels, sizes[0])
    taps = [math.prod(kernel) for kernel in options["kernels"]]
    with graph.holding(x):
        encode = _plain_encoder if network == "plain_unet" else _residual_encoder
        skips = encode(graph, x, options, taps, sizes)
        _decoder(graph, skips, options, taps, out_channels, levels)
    return graph


def _sizes(patch: Sequence[int], strides: Sequence[Sequence[int]]) -> list[int]:
    shape, sizes = list(patch), []
    for stride in strides:
        shape = [n // step for n, step in zip(shape, stride, strict=True)]
        sizes.append(math.prod(shape))
    return sizes


def _plain_encoder(
    graph: Graph,
    x: int,
    options: Mapping[str, Any],
    taps: Sequence[int],
    sizes: Sequence[int],
) -> list[int]:
    skips: list[int] = []
    for stage, channels in enumerate(options["features"]):
        with graph.holding(*skips, x):
            for _ in range(options["convs_encoder"][stage]):
                x = graph.block(x, channels, taps[stage], sizes[stage])
        skips.append(x)
    return skips


def _residual_encoder(
    graph: Graph,
    x: int,
    options: Mapping[str, Any],
    taps: Sequence[int],
    sizes: Sequence[int],
) -> list[int]:
    skips: list[int] = []
    x = graph.block(x, options["features"][0], taps[0], sizes[0])
    for stage, channels in enumerate(options["features"]):
        strided = max(options["strides"][stage]) > 1
        with graph.holding(*skips, x):
            for number in range(options["blocks"][stage]):
                pooled = strided and number == 0
                x = _residual(graph, x, channels, taps[stage], sizes[stage], pooled)
        skips.append(x)
    return skips


def _residual(
    graph: Graph, x: int, channels: int, taps: int, voxels: int, pooled: bool
) -> int:
    with graph.holding(x):
        y = graph.block(x, channels, taps, voxels)
        y = graph.block(y, channels, taps, voxels, activate=False)
        short = x
        with graph.holding(y):
            if pooled:
                short = graph.pool(short, voxels)
            if graph.channels[short] != channels:
                with graph.holding(short):
                    short = graph.conv(short, channels, 1, voxels, bias=False)
                    short = graph.normalize(short)
        return graph.activate(graph.join("add", y, short))


def _decoder(
    graph: Graph,
    skips: Sequence[int],
    options: Mapping[str, Any],
    taps: Sequence[int],
    out_channels: int,
    levels: int | None,
) -> None:
    x, last = skips[-1], len(skips) - 2
    finest = options.get("head_stage", 0)
    found: list[int] = []
    for level in range(last + 1 - finest):
        stage = last - level
        skip, step = skips[stage], math.prod(options["strides"][stage + 1])
        voxels, channels = graph.voxels[skip], graph.channels[skip]
        with graph.holding(*skips, *found, x):
            up = graph.conv(x, channels, step, voxels, kind="up")
            joined = graph.join("cat", up, skip)
            y = joined
            with graph.holding(joined):
                for _ in range(options["convs_decoder"][level]):
                    y = graph.block(y, channels, taps[stage], voxels)
            x = y
            if levels is None or last - finest - level < levels:
                head = graph.conv(x, out_channels, 1, voxels, kind="head", bias=True)
                found.append(head)
            else:
                graph.unused += (channels + 1) * out_channels
    graph.logits = found[::-1]
