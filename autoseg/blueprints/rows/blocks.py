"""Blocks that stages of a U-Net may be made of, beside those of nnU-Net."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, Plain, Stage
from autoseg.blueprints.rows.context import squeezed


@dataclass(frozen=True)
class Recurrent:
    """Convolutions that are applied again to their input and what they gave.

    A projection, two recurrent convolutions in a row, and a short cut around them [1]_.
    The weights are the same each time, and so is the norm.

    Parameters
    ----------
    times : int
        How often they are applied again.

    References
    ----------
    .. [1] Alom et al., "Recurrent residual convolutional neural network based on U-Net
       (R2U-Net) for medical image segmentation", 2018. arXiv:1802.06955
    """

    times: int = 2

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage; its projection has the stride."""
        first = net.conv(x, stage.channels, 1, stage.stride, name="project")
        y = first
        for number in range(stage.count):
            with net.scope(f"recurrent.{number}"):
                source = y
                y = layers.block(net, source, stage.channels, stage.kernel)
                with net.again():
                    for _ in range(self.times):
                        joined = net.add(source, y)
                        y = layers.block(net, joined, stage.channels, stage.kernel)
        return net.add(first, y)


@dataclass(frozen=True)
class PreActivated:
    """Norm and activation in front of each of two convolutions, and a short cut.

    Parameters
    ----------
    short : int
        Kernel of the convolution in the short cut; a norm follows it.
    attention : str
        What gates the result, see `autoseg.blueprints.rows.context.squeezed`.
    reduction : int
        Of that gate.
    norm_of_stem : bool
        Normalize the first stage's short cut, too.
    """

    short: int = 1
    attention: str = "none"
    reduction: int = 8
    norm_of_stem: bool = False

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage: blocks of which the first has the stride."""
        for number in range(stage.count):
            one = stage if number == 0 else replace(stage, stride=(1,) * net.dim)
            with net.scope(f"blocks.{number}"):
                y = self.conv(net, layers, x, one, "1")
                y = self.conv(net, layers, y, replace(one, stride=(1,) * net.dim), "2")
                x = self.joined(net, layers, y, x, one)
        return x

    def stem(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw the first stage, in which nothing stands before a convolution."""
        with net.scope("blocks.0"):
            y = net.conv(
                x, stage.channels, stage.kernel, bias=layers.bias, name="conv1"
            )
            y = self.conv(net, layers, y, stage, "2")
            return self.joined(net, layers, y, x, stage, norm=self.norm_of_stem)

    def conv(
        self, net: Drawing, layers: Layers, x: Tensor, stage: Stage, name: str
    ) -> Tensor:
        """Normalize, activate, convolve."""
        x = layers.activate(net, layers.normalize(net, x, f"norm{name}"))
        return net.conv(
            x,
            stage.channels,
            stage.kernel,
            stage.stride,
            bias=layers.bias,
            name=f"conv{name}",
        )

    def joined(
        self,
        net: Drawing,
        layers: Layers,
        y: Tensor,
        x: Tensor,
        stage: Stage,
        *,
        norm: bool = True,
    ) -> Tensor:
        """Add the short cut, and gate the sum."""
        with net.scope("short"):
            x = net.conv(
                x,
                stage.channels,
                self.short,
                stage.stride,
                bias=layers.bias,
                name="conv",
            )
            x = layers.normalize(net, x) if norm else x
        return squeezed(net, net.add(y, x), self.attention, self.reduction, bias=False)


@dataclass(frozen=True)
class Squeezed:
    """Convolutions in a row, whose channels and voxels are gated in the end.

    Parameters
    ----------
    attention : str
        See `autoseg.blueprints.rows.context.squeezed`.
    reduction : int
        Of the gate.
    """

    attention: str = "se"
    reduction: int = 16

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage."""
        x = Plain(inside="0.").draw(net, layers, x, stage)
        return squeezed(net, x, self.attention, self.reduction)


@dataclass(frozen=True)
class MultiRes:
    """Three convolutions in a row, all stacked, beside a short cut [1]_.

    Parameters
    ----------
    alpha : float
        Channels of all three are the stage's times this: a sixth, a third, a half, each
        cut to a whole number.

    References
    ----------
    .. [1] Ibtehaz, Rahman, "MultiResUNet: rethinking the U-Net architecture for
       multimodal biomedical image segmentation", Neural Networks 121, 2020.
       arXiv:1902.04049
    """

    alpha: float = 1.67

    def widths(self, channels: int) -> tuple[int, int, int]:
        """Return the channels of the three convolutions.

        Examples
        --------
        >>> MultiRes().widths(32)
        (8, 17, 26)
        """
        wide = self.alpha * channels
        return max(1, int(wide * 0.167)), int(wide * 0.333), int(wide * 0.5)

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage; the first convolution and the short cut have the stride."""
        for number in range(stage.count):
            stride = stage.stride if number == 0 else (1,) * net.dim
            with net.scope(f"blocks.{number}"):
                x = self._block(net, layers, x, replace(stage, stride=stride))
        return x

    def _block(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        widths, found, y = self.widths(stage.channels), [], x
        with net.scope("short"):
            short = layers.block(net, x, sum(widths), 1, stage.stride, activate=False)
        for number, width in enumerate(widths):
            with net.scope(f"convs.{number}"):
                stride = 1 if number else stage.stride
                y = layers.block(net, y, width, stage.kernel, stride)
                found.append(y)
        y = layers.normalize(net, net.cat(*found), "norm")
        y = layers.activate(net, net.add(short, y))
        return layers.normalize(net, y, "norm_after")


@dataclass(frozen=True)
class Mobile:
    """Widen, convolve each channel by itself, narrow; a short cut where all stays [1]_.

    Parameters
    ----------
    expansion : int
        How many times wider a block is inside.
    fused : int
        At so many of the finest resolutions, one convolution of all channels instead:
        where channels are few and voxels many, what a block writes takes longer than
        what it saves [2]_. A resolution is one of them if the image has fewer than
        2 ** (D * ``fused``) times its voxels.

    References
    ----------
    .. [1] Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks",
       CVPR 2018. arXiv:1801.04381
    .. [2] Tan and Le, "EfficientNetV2: smaller models and faster training", ICML 2021.
       arXiv:2104.00298
    """

    expansion: int = 4
    fused: int = 0

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage; the depthwise convolution of the first block strides."""
        for number in range(stage.count):
            stride = stage.stride if number == 0 else (1,) * net.dim
            with net.scope(f"blocks.{number}"):
                y = self._block(net, layers, x, replace(stage, stride=stride))
                x = net.add(x, y) if _same(x, y) else y
        return x

    def _is_fine(self, net: Drawing, x: Tensor, stage: Stage) -> bool:
        voxels = x.voxels // math.prod(stage.stride)
        return net.image.voxels < voxels << (net.dim * self.fused)

    def _block(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        if self._is_fine(net, x, stage):
            with net.scope("fused"):
                return layers.block(net, x, stage.channels, stage.kernel, stage.stride)
        y = x
        if self.expansion > 1:
            with net.scope("widen"):
                y = layers.block(net, x, x.channels * self.expansion, 1)
        with net.scope("depthwise"):
            y = net.conv(
                y,
                y.channels,
                stage.kernel,
                stage.stride,
                groups=y.channels,
                bias=layers.bias,
                name="conv",
            )
            y = layers.activate(net, layers.normalize(net, y))
        with net.scope("narrow"):
            return layers.block(net, y, stage.channels, 1, activate=False)


def _same(x: Tensor, y: Tensor) -> bool:
    return (x.channels, x.shape) == (y.channels, y.shape)
