"""ConvNeXt: wide depthwise convolutions, and layers of single voxels.

Names are timm's::

    stem.{0|1}, stages.{s}.downsample.{0|1},
    stages.{s}.blocks.{n}.{conv_dw|norm|mlp.fc1|mlp.fc2|gamma}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers

EPS = 1e-6
KERNEL, WIDER = 7, 4
FAINT = 1e-6  # how much a layer adds before it learns


@dataclass(frozen=True)
class ConvNeXt:
    """Four stages; the first makes the image smaller twice, at once.

    Parameters
    ----------
    widths, counts : tuple of int
        Channels and layers of each stage.

    References
    ----------
    .. [1] Liu et al., "A ConvNet for the 2020s", CVPR 2022. arXiv:2201.03545
    """

    widths: tuple[int, ...]
    counts: tuple[int, ...]

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Draw it; see `autoseg.blueprints.encoders.base.Encoder`."""
        x, features = net.image, [net.lend(net.image, strides[0])]
        for stage in range(len(strides) - 1):
            width, stride = max(1, self.widths[stage] // narrow), strides[stage + 1]
            if stage == 0:
                stride = [a * b for a, b in zip(strides[0], stride, strict=True)]
                x = net.conv(x, width, stride, stride, name="stem.0")
                x = net.norm(x, "channel", eps=EPS, name="stem.1")
            else:
                with net.scope(f"stages.{stage}.downsample"):
                    x = net.norm(x, "channel", eps=EPS, name="0")
                    x = net.conv(x, width, stride, stride, name="1")
            for number in range(self.counts[stage]):
                with net.scope(f"stages.{stage}.blocks.{number}"):
                    x = _layer(net, x, dilations[stage + 1])
            features.append(x)
        return features


def _layer(net: Drawing, x: Tensor, dilation: int) -> Tensor:
    y = net.conv(
        x, x.channels, KERNEL, dilation=dilation, groups=x.channels, name="conv_dw"
    )
    y = net.norm(net.tokens(y), "layer", eps=EPS, name="norm")
    with net.scope("mlp"):
        y = net.act(net.linear(y, WIDER * x.channels, name="fc1"), "gelu")
        y = net.linear(y, x.channels, name="fc2")
    y = net.scale(y, start=FAINT, name="gamma")
    return net.add(x, net.grid(y, x))


CONVNEXTS = {
    "convnext_tiny": ConvNeXt((96, 192, 384, 768), (3, 3, 9, 3)),
    "convnext_small": ConvNeXt((96, 192, 384, 768), (3, 3, 27, 3)),
    "convnext_base": ConvNeXt((128, 256, 512, 1024), (3, 3, 27, 3)),
    "convnext_large": ConvNeXt((192, 384, 768, 1536), (3, 3, 27, 3)),
}
