"""MobileNet and EfficientNet: depthwise convolutions between narrow features.

Names are timm's::

    conv_stem, bn1, blocks.{stage}.{block}.{conv_pw|bn1|conv_dw|bn2|se|conv_pwl|bn3},
    conv_head, bn2
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.encoders.base import rounded
from autoseg.blueprints.parts import Layers


class Blocks(NamedTuple):
    """Blocks in a row.

    Parameters
    ----------
    times, kernel : int
        How many, and the edge of their depthwise convolutions.
    strided : bool
        The first one makes the image smaller.
    wider : float
        Channels inside for one of what the block is given; 1: without a convolution
        that widens.
    channels : int
        Of the result.
    squeezed : bool
        Channels are gated.
    act : str
        Activation.
    """

    times: int
    kernel: int
    strided: bool
    wider: float
    channels: int
    squeezed: bool
    act: str


@dataclass(frozen=True)
class Mobile:
    """Stages of blocks that widen, convolve each channel, and narrow again.

    Parameters
    ----------
    stages : tuple of tuple of Blocks
        In their order.
    stem : int
        Channels of the first convolution.
    act, gate : str
        Activations of that one, and of gates.
    head : int
        Channels of a last convolution of single voxels; 0: there is none.
    head_in_stages : bool
        It has the name of a stage.
    from_inside : bool
        Gates are a quarter as wide as the block inside, a multiple of 8; otherwise as
        what the block is given.
    stem_first : bool
        The features of the first reduction are those of the stem.

    References
    ----------
    .. [1] Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks",
       CVPR 2018. arXiv:1801.04381
    .. [2] Howard et al., "Searching for MobileNetV3", ICCV 2019. arXiv:1905.02244
    .. [3] Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural
       networks", ICML 2019. arXiv:1905.11946
    """

    stages: tuple[tuple[Blocks, ...], ...]
    stem: int
    act: str
    gate: str = "sigmoid"
    head: int = 0
    head_in_stages: bool = False
    from_inside: bool = False
    stem_first: bool = False

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
            net.image,
            _less(self.stem, narrow),
            3,
            strides[0],
            bias=False,
            name="conv_stem",
        )
        x = net.act(layers.normalize(net, x, "bn1"), self.act)
        features, first, reduction = [], x, 0
        for stage, groups in enumerate(self.stages):
            if groups[0].strided:
                features.append(x)
                reduction += 1
                if reduction == len(strides):
                    break
            number = 0
            for group in groups:
                for block in range(group.times):
                    shrinks = group.strided and not block
                    stride = strides[reduction] if shrinks else (1,) * net.dim
                    with net.scope(f"blocks.{stage}.{number}"):
                        x = self._block(
                            net, layers, x, group, stride, dilations[reduction], narrow
                        )
                    number += 1
        else:
            features.append(self._headed(net, layers, x, narrow))
        if self.stem_first:
            features[0] = first
        return features

    def _headed(self, net: Drawing, layers: Layers, x: Tensor, narrow: int) -> Tensor:
        if not self.head:
            return x
        names = "conv_head", "bn2"
        if self.head_in_stages:
            place = f"blocks.{len(self.stages)}.0"
            names = f"{place}.conv", f"{place}.bn1"
        x = net.conv(x, _less(self.head, narrow), 1, bias=False, name=names[0])
        return net.act(layers.normalize(net, x, names[1]), self.act)

    def _block(
        self,
        net: Drawing,
        layers: Layers,
        x: Tensor,
        group: Blocks,
        stride: Sequence[int],
        dilation: int,
        narrow: int,
    ) -> Tensor:
        y, place = x, 1
        if group.wider != 1:
            wide = rounded(x.channels * group.wider, 8 if narrow == 1 else 1)
            y = net.conv(y, wide, 1, bias=False, name="conv_pw")
            y = net.act(layers.normalize(net, y, "bn1"), group.act)
            place = 2
        y = net.conv(
            y,
            y.channels,
            group.kernel,
            stride,
            groups=y.channels,
            dilation=dilation,
            bias=False,
            name="conv_dw",
        )
        y = net.act(layers.normalize(net, y, f"bn{place}"), group.act)
        if group.squeezed:
            given = rounded(y.channels / 4, 8) if self.from_inside else x.channels // 4
            with net.scope("se"):
                y = self._gated(net, y, max(1, given // narrow), group.act)
        last = "conv_pwl" if group.wider != 1 else "conv_pw"
        y = net.conv(y, _less(group.channels, narrow), 1, bias=False, name=last)
        y = layers.normalize(net, y, f"bn{place + 1}")
        same = x.channels == y.channels and x.shape == y.shape
        return net.add(y, x) if same and all(s == 1 for s in stride) else y

    def _gated(self, net: Drawing, x: Tensor, between: int, act: str) -> Tensor:
        y = net.conv(net.mean(x), between, 1, name="conv_reduce")
        y = net.act(y, "relu" if self.from_inside else act)
        y = net.conv(y, x.channels, 1, name="conv_expand")
        return net.gate(x, net.act(y, self.gate))


def _less(width: int, narrow: int) -> int:
    return max(1, width // narrow)


def _efficient(width: float, depth: float) -> Mobile:
    """Return an EfficientNet that is so many times as wide and deep as the smallest."""
    plain = (
        Blocks(1, 3, False, 1, 16, True, "silu"),
        Blocks(2, 3, True, 6, 24, True, "silu"),
        Blocks(2, 5, True, 6, 40, True, "silu"),
        Blocks(3, 3, True, 6, 80, True, "silu"),
        Blocks(3, 5, False, 6, 112, True, "silu"),
        Blocks(4, 5, True, 6, 192, True, "silu"),
        Blocks(1, 3, False, 6, 320, True, "silu"),
    )
    scaled = tuple(
        (
            group._replace(
                times=math.ceil(group.times * depth),
                channels=rounded(group.channels * width, 8),
            ),
        )
        for group in plain
    )
    stem = rounded(32 * width, 8)
    return Mobile(scaled, stem, "silu", stem_first=True)


def _v2(count: int, strided: bool, wider: int, channels: int) -> tuple[Blocks, ...]:
    return (Blocks(count, 3, strided, wider, channels, False, "relu6"),)


_SMALL = Mobile(
    stages=(
        (Blocks(1, 3, True, 1, 16, True, "relu"),),
        (
            Blocks(1, 3, True, 4.5, 24, False, "relu"),
            Blocks(1, 3, False, 3.67, 24, False, "relu"),
        ),
        (
            Blocks(1, 5, True, 4, 40, True, "hard_swish"),
            Blocks(2, 5, False, 6, 40, True, "hard_swish"),
        ),
        (Blocks(2, 5, False, 3, 48, True, "hard_swish"),),
        (Blocks(3, 5, True, 6, 96, True, "hard_swish"),),
    ),
    stem=16,
    act="hard_swish",
    gate="hard_sigmoid",
    head=576,
    head_in_stages=True,
    from_inside=True,
)
_LARGE = replace(
    _SMALL,
    stages=(
        (Blocks(1, 3, False, 1, 16, False, "relu"),),
        (
            Blocks(1, 3, True, 4, 24, False, "relu"),
            Blocks(1, 3, False, 3, 24, False, "relu"),
        ),
        (Blocks(3, 5, True, 3, 40, True, "relu"),),
        (
            Blocks(1, 3, True, 6, 80, False, "hard_swish"),
            Blocks(1, 3, False, 2.5, 80, False, "hard_swish"),
            Blocks(2, 3, False, 2.3, 80, False, "hard_swish"),
        ),
        (Blocks(2, 3, False, 6, 112, True, "hard_swish"),),
        (Blocks(3, 5, True, 6, 160, True, "hard_swish"),),
    ),
    head=960,
)
_SCALES = ((1, 1), (1, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6))

MOBILES = {
    "mobilenet_v2": Mobile(
        stages=(
            _v2(1, False, 1, 16),
            _v2(2, True, 6, 24),
            _v2(3, True, 6, 32),
            _v2(4, True, 6, 64),
            _v2(3, False, 6, 96),
            _v2(3, True, 6, 160),
            _v2(1, False, 6, 320),
        ),
        stem=32,
        act="relu6",
        head=1280,
    ),
    "mobilenet_v3_small": _SMALL,
    "mobilenet_v3_large": _LARGE,
    **{f"efficientnet_b{n}": _efficient(*scale) for n, scale in enumerate(_SCALES)},
}
