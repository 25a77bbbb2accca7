"""DenseNet: each layer is given what all layers before it gave.

Names are torchvision's, without its ``features.``::

    conv0, norm0, denseblock{1..4}.denselayer{n}.{norm1|conv1|norm2|conv2},
    transition{1..3}.{norm|conv}, norm5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers

NARROWED = 4  # channels of a layer's first convolution for one that it gives


@dataclass(frozen=True)
class DenseNet:
    """Four blocks of layers that add channels, and transitions that halve them.

    Parameters
    ----------
    counts : tuple of int
        Layers of each block.
    growth, stem : int
        Channels that a layer adds, and those of the first convolution.

    References
    ----------
    .. [1] Huang et al., "Densely connected convolutional networks", CVPR 2017.
       arXiv:1608.06993
    """

    counts: tuple[int, ...]
    growth: int = 32
    stem: int = 64

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Draw it; see `autoseg.blueprints.encoders.base.Encoder`."""
        growth, stem = max(1, self.growth // narrow), max(1, self.stem // narrow)
        x = net.conv(net.image, stem, 7, strides[0], bias=False, name="conv0")
        x = layers.activate(net, layers.normalize(net, x, "norm0"))
        features = [x]
        if len(strides) > 1:
            x, _ = net.max_pool(x, strides[1], 3)
        for number, count in enumerate(self.counts[: len(strides) - 1], 1):
            for place in range(count):
                with net.scope(f"denseblock{number}.denselayer{place + 1}"):
                    more = _layer(net, layers, x, growth, dilations[number])
                    x = net.cat(x, more)
            last = number == len(self.counts)
            name = "norm5" if last else f"transition{number}.norm"
            y = layers.normalize(net, x, name)
            # The last one's activation belongs to what classifies, as in
            # segmentation_models.pytorch.
            y = y if last else layers.activate(net, y)
            features.append(y)
            if number + 1 < len(strides):
                y = net.conv(
                    y, x.channels // 2, 1, bias=False, name=f"transition{number}.conv"
                )
                x = net.avg_pool(y, strides[number + 1])
        return features


def _layer(
    net: Drawing, layers: Layers, x: Tensor, growth: int, dilation: int
) -> Tensor:
    y = layers.activate(net, layers.normalize(net, x, "norm1"))
    y = net.conv(y, NARROWED * growth, 1, bias=False, name="conv1")
    y = layers.activate(net, layers.normalize(net, y, "norm2"))
    return net.conv(y, growth, 3, dilation=dilation, bias=False, name="conv2")


DENSENETS = {
    "densenet121": DenseNet((6, 12, 24, 16)),
    "densenet161": DenseNet((6, 12, 36, 24), 48, 96),
    "densenet169": DenseNet((6, 12, 32, 32)),
    "densenet201": DenseNet((6, 12, 48, 32)),
}
