"""VGG: convolutions of three in a row, and pools.

Names are torchvision's: ``features.{n}``, counted over all layers, those that learn
nothing included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers

WIDTHS = (64, 128, 256, 512, 512)


@dataclass(frozen=True)
class VGG:
    """Five stages of convolutions; the features of a reduction are those behind it.

    Parameters
    ----------
    counts : tuple of int
        Convolutions of each stage.
    normalized : bool
        Each is normalized.

    References
    ----------
    .. [1] Simonyan & Zisserman, "Very deep convolutional networks for large-scale image
       recognition", ICLR 2015. arXiv:1409.1556
    """

    counts: tuple[int, ...]
    normalized: bool

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Draw it; see `autoseg.blueprints.encoders.base.Encoder`."""
        x, place, features = net.image, 0, []
        for number, (width, count) in enumerate(zip(WIDTHS, self.counts, strict=True)):
            for _ in range(count):
                dilation = dilations[number - 1] if number else 1
                wide = max(1, width // narrow)
                x = net.conv(x, wide, 3, dilation=dilation, name=f"features.{place}")
                if self.normalized:
                    place += 1
                    x = layers.normalize(net, x, f"features.{place}")
                x = layers.activate(net, x)
                place += 2
            if number:
                features.append(x)
            if number == len(strides):
                return features
            x, _ = net.max_pool(x, strides[number])
            place += 1
        return [*features, x]


_COUNTS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
VGGS = {
    name + more: VGG(counts, bool(more))
    for name, counts in _COUNTS.items()
    for more in ("", "_bn")
}
