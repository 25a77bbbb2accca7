"""The parts that U-Nets are put together of: layers, blocks, ways down and up, skips.

Each part draws itself on a `Drawing`; a row (`autoseg.blueprints.rows.row`) names its
parts. Names of layers are those of networks of nnU-Net where there are such, so that
its weights load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autoseg.blueprints.drawing import Drawing, Tensor

Norm = Literal["instance", "batch", "group", "whole", "none"]
Act = Literal["leaky", "relu", "elu", "gelu", "silu", "prelu"]
Down = Literal["stride", "max_pool"]
Up = Literal["deconv", "deconv3", "nearest", "linear"]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What stands beside each convolution.

    Parameters
    ----------
    norm : str
        ``"instance"``, ``"batch"``, ``"group"`` (each channel by itself), ``"whole"``
        (all channels of a sample together), ``"none"``.
    bias : bool
        Convolutions have a bias.
    eps : float
        Added to the variance by the norm.
    act : str
        One of `autoseg.blueprints.drawing.ACTIVATIONS`.
    slope : float
        Of the leaky ReLU below 0.
    affine : bool
        The norm learns a scale and a shift of each channel.
    """

    norm: Norm = "instance"
    bias: bool = True
    eps: float = 1e-5
    act: Act = "leaky"
    slope: float = 0.01
    affine: bool = True

    def normalize(self, net: Drawing, x: Tensor, name: str = "norm") -> Tensor:
        """Normalize, unless there is no norm."""
        if self.norm == "none":
            return x
        groups = x.channels if self.norm == "group" else 1
        kind = "group" if self.norm == "whole" else self.norm
        return net.norm(
            x, kind, eps=self.eps, groups=groups, affine=self.affine, name=name
        )

    def activate(self, net: Drawing, x: Tensor, name: str = "act") -> Tensor:
        """Activate."""
        more = {"slope": self.slope} if self.act == "leaky" else {}
        return net.act(x, self.act, name=name, **more)

    def block(
        self,
        net: Drawing,
        x: Tensor,
        channels: int,
        kernel: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        *,
        dilation: int | Sequence[int] = 1,
        activate: bool = True,
    ) -> Tensor:
        """Convolve, normalize and, if asked for, activate."""
        x = net.conv(
            x,
            channels,
            kernel,
            stride,
            dilation=dilation,
            bias=self.bias,
            name="conv",
        )
        x = self.normalize(net, x)
        return self.activate(net, x) if activate else x

    @property
    def pooled(self) -> Layers:
        """What stands beside a convolution of one voxel only.

        Batch and instance norm cannot normalize that; all its channels together can be.
        """
        return self if self.norm == "none" else replace(self, norm="whole")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One resolution of a U-Net.

    Parameters
    ----------
    channels : int
        Of its features.
    kernel, stride : sequence of int, length D
        Of its convolutions; the stride of the first one alone.
    count : int
        Convolutions or blocks in a row.
    """

    channels: int
    kernel: Sequence[int]
    stride: Sequence[int]
    count: int

    @property
    def strided(self) -> bool:
        """Whether its resolution is coarser than the one before."""
        return any(step != 1 for step in self.stride)


@dataclass(frozen=True)
class Plain:
    """Convolutions in a row, each normalized and activated.

    Parameters
    ----------
    inside : str
        What stands in front of the names of layers.
    """

    inside: str = ""

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage."""
        for number in range(stage.count):
            stride = stage.stride if number == 0 else 1
            with net.scope(f"{self.inside}convs.{number}"):
                x = layers.block(net, x, stage.channels, stage.kernel, stride)
        return x


@dataclass(frozen=True)
class Residual:
    """Blocks of two convolutions beside a short cut that pools and projects."""

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage."""
        for number in range(stage.count):
            one = stage if number == 0 else replace(stage, stride=(1,) * net.dim)
            with net.scope(f"blocks.{number}"):
                x = self._block(net, layers, x, one)
        return x

    @staticmethod
    def _block(net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        channels, kernel = stage.channels, stage.kernel
        with net.scope("conv1"):
            y = layers.block(net, x, channels, kernel, stage.stride)
        with net.scope("conv2"):
            y = layers.block(net, y, channels, kernel, activate=False)
        short = net.avg_pool(x, stage.stride) if stage.strided else x
        if x.channels != channels:
            unbiased = replace(layers, bias=False)
            with net.scope(f"skip.{int(stage.strided)}"):
                short = unbiased.block(net, short, channels, 1, activate=False)
        return layers.activate(net, net.add(y, short))


def residual(net: Drawing, layers: Layers, x: Tensor, channels: int) -> Tensor:
    """Draw two convolutions beside a short cut, which is projected where it must be."""
    with net.scope("conv1"):
        y = layers.block(net, x, channels, 3)
    with net.scope("conv2"):
        y = layers.block(net, y, channels, 3, activate=False)
    if x.channels != channels:
        with net.scope("shortcut"):
            x = layers.block(net, x, channels, 1, activate=False)
    return layers.activate(net, net.add(y, x))


def enlarge(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    skip: Tensor,
    stride: Sequence[int],
    up: Up,
    name: str,
    channels: int | None = None,
) -> Tensor:
    """Bring features to the resolution of a skip.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    layers : Layers
        Beside a convolution.
    x, skip : Tensor
        What is enlarged, and what it will stand beside.
    stride : sequence of int, length D
        How many times larger the skip is.
    up : str
        ``"deconv"``: a transposed convolution to the skip's channels; ``"deconv3"``:
        one whose kernel of 3 overlaps its neighbors; ``"nearest"``: repeated, then a
        convolution of 3 to the skip's channels; ``"linear"``: interpolated, with all
        channels.
    name : str
        Of the layer, or of its block.
    channels : int, optional
        Of the result, if they are not the skip's.
    """
    channels = channels or skip.channels
    if up == "deconv":
        return net.deconv(x, channels, stride, bias=layers.bias, name=name)
    if up == "deconv3":
        return net.deconv(x, channels, stride, 3, bias=layers.bias, name=name)
    if up == "nearest":
        with net.scope(name):
            return layers.block(net, net.resize(x, skip, "nearest"), channels, 3)
    return net.resize(x, skip)


def gate(net: Drawing, layers: Layers, skip: Tensor, by: Tensor) -> Tensor:
    """Gate a skip by features of its own resolution.

    Both are projected to half of the skip's channels and added; one channel between 0
    and 1 is made of that, which the skip is multiplied by [1]_, as in the network
    ``AttU_Net`` of LeeJunHyun.

    References
    ----------
    .. [1] Oktay et al., "Attention U-Net: learning where to look for the pancreas",
       MIDL 2018. arXiv:1804.03999
    """
    if by.shape != skip.shape:
        by = net.resize(by, skip)
    between = max(1, skip.channels // 2)
    with net.scope("from_below"):
        below = layers.block(net, by, between, 1, activate=False)
    with net.scope("from_skip"):
        here = layers.block(net, skip, between, 1, activate=False)
    both = layers.activate(net, net.add(below, here))
    with net.scope("attention"):
        one = layers.block(net, both, 1, 1, activate=False)
    return net.gate(skip, net.act(one, "sigmoid"))


def coarse_gate(net: Drawing, layers: Layers, skip: Tensor, by: Tensor) -> Tensor:
    """Gate a skip by features of the next coarser resolution, as its authors do.

    The skip is brought to the coarser grid by a convolution with its stride; the gate
    is made there and interpolated; the gated skip is projected once more, and once more
    by the layer that would combine several gates.
    """
    stride = [n // m for n, m in zip(skip.shape, by.shape, strict=True)]
    here = net.conv(skip, skip.channels, stride, stride, bias=False, name="theta")
    below = net.conv(by, skip.channels, 1, name="phi")
    both = net.act(net.add(here, below), "relu")
    one = net.act(net.conv(both, 1, 1, name="psi"), "sigmoid")
    gated = net.gate(skip, net.resize(one, skip))
    with net.scope("project"):
        gated = layers.block(net, gated, skip.channels, 1, activate=False)
    with net.scope("combine"):
        return layers.block(net, gated, skip.channels, 1)
