"""ResNet: blocks beside a short cut, in four stages behind a stem.

Names are torchvision's, which timm and others share::

    conv1, bn1, layer{1..4}.{block}.{conv1|bn1|conv2|bn2|conv3|bn3|downsample.{0|1}}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.encoders.base import rounded
from autoseg.blueprints.parts import Layers

WIDTHS = (64, 128, 256, 512)


@dataclass(frozen=True)
class ResNet:
    """Four stages of residual blocks behind a stem of one convolution and a pool.

    Parameters
    ----------
    blocks : tuple of int
        Of each stage.
    expansion : int
        1: two convolutions a block; 4: three, the outer two of single voxels, and four
        times as many channels.
    groups, inside : int
        Of the convolutions inside of a block of three [2]_: their groups, and how many
        times as many channels they have.
    squeeze : int
        Channels are gated by as many times fewer in front of the sum [3]_; 0: not.

    References
    ----------
    .. [1] He et al., "Deep residual learning for image recognition", CVPR 2016.
       arXiv:1512.03385
    .. [2] Xie et al., "Aggregated residual transformations for deep neural networks",
       CVPR 2017. arXiv:1611.05431
    .. [3] Hu, Shen, Sun, "Squeeze-and-excitation networks", CVPR 2018. arXiv:1709.01507
    """

    blocks: tuple[int, ...]
    expansion: int = 1
    groups: int = 1
    inside: int = 1
    squeeze: int = 0

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Draw it; see `autoseg.blueprints.encoders.base.Encoder`."""
        x = net.conv(
            net.image, WIDTHS[0] // narrow, 7, strides[0], bias=False, name="conv1"
        )
        x = layers.activate(net, layers.normalize(net, x, "bn1"))
        features = [x]
        for number, width in enumerate(WIDTHS[: len(strides) - 1]):
            stride = strides[number + 1]
            if number == 0:
                x, _ = net.max_pool(x, stride, 3)
                stride = (1,) * net.dim
            with net.scope(f"layer{number + 1}"):
                for block in range(self.blocks[number]):
                    with net.scope(str(block)):
                        x = self._block(
                            net,
                            layers,
                            x,
                            width // narrow,
                            stride if block == 0 else (1,) * net.dim,
                            dilations[number + 1],
                        )
            features.append(x)
        return features

    def _block(
        self,
        net: Drawing,
        layers: Layers,
        x: Tensor,
        width: int,
        stride: Sequence[int],
        dilation: int,
    ) -> Tensor:
        wide = width * self.expansion
        kinds = [(width, 3), (wide, 3)] if self.expansion == 1 else None
        inner = width * self.inside
        kinds = kinds or [(inner, 1), (inner, 3), (wide, 1)]
        strided = 0 if self.expansion == 1 else 1
        y = x
        for place, (channels, kernel) in enumerate(kinds):
            y = net.conv(
                y,
                channels,
                kernel,
                stride if place == strided else 1,
                dilation=dilation,
                groups=math.gcd(self.groups, channels) if place == strided else 1,
                bias=False,
                name=f"conv{place + 1}",
            )
            y = layers.normalize(net, y, f"bn{place + 1}")
            if place < len(kinds) - 1:
                y = layers.activate(net, y)
        if self.squeeze:
            with net.scope("se"):
                y = self._squeezed(net, y)
        if x.channels != wide or any(step != 1 for step in stride):
            x = net.conv(x, wide, 1, stride, bias=False, name="downsample.0")
            x = layers.normalize(net, x, "downsample.1")
        return layers.activate(net, net.add(y, x))

    def _squeezed(self, net: Drawing, x: Tensor) -> Tensor:
        """Gate channels by their means, as timm names it."""
        between = rounded(x.channels / self.squeeze, 8)
        y = net.conv(net.mean(x), between, 1, name="fc1")
        y = net.conv(net.act(y, "relu"), x.channels, 1, name="fc2")
        return net.gate(x, net.act(y, "sigmoid"))


RESNETS = {
    "resnet18": ResNet((2, 2, 2, 2)),
    "resnet34": ResNet((3, 4, 6, 3)),
    "resnet50": ResNet((3, 4, 6, 3), 4),
    "resnet101": ResNet((3, 4, 23, 3), 4),
    "resnet152": ResNet((3, 8, 36, 3), 4),
    "resnext50_32x4d": ResNet((3, 4, 6, 3), 4, groups=32, inside=2),
    "resnext101_32x8d": ResNet((3, 4, 23, 3), 4, groups=32, inside=4),
    "seresnet18": ResNet((2, 2, 2, 2), squeeze=16),
    "seresnet34": ResNet((3, 4, 6, 3), squeeze=16),
    "seresnet50": ResNet((3, 4, 6, 3), 4, squeeze=16),
    "seresnet101": ResNet((3, 4, 23, 3), 4, squeeze=16),
    "seresnet152": ResNet((3, 8, 36, 3), 4, squeeze=16),
}
