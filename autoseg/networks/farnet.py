"""FARNet: two ways down and up on an encoder; coarse maps help to make fine ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded, step
from autoseg.networks import NETWORKS


@NETWORKS.register
class FARNet(Encoded):
    """Features of all resolutions are stacked on the way up, down and up again.

    Maps of half the image's resolution are stacked on the features that the finest are
    made of; with deep supervision they are an output, too. Its authors made it for
    landmarks, and have a width of 256 on a DenseNet; a quarter of that is planned.

    References
    ----------
    .. [1] Ao, Wu, "Feature aggregation and refinement network for 2D anatomical
       landmark detection", Journal of Digital Imaging 36, 2023. arXiv:2111.00659
    """

    needs_half = True
    own = {"width": 64}
    tiny = {"width": 8}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw both ways, the coarse maps and the fine ones."""
        image, half, *skips = features
        layers, width = replace(layers, bias=True), own["width"]
        finest = _block(net, layers, image, max(1, width // 8), 1, "image")
        with net.scope("first"):
            x = _block(net, layers, skips[-1], 2 * width, 3, "wide")
            ups = [_block(net, layers, x, width, 1, "0")]
            for number, skip in enumerate(skips[-2::-1], 1):
                x = net.cat(_enlarged(net, ups[-1], skip), skip)
                ups.append(_block(net, layers, x, width, 1, str(number)))
        with net.scope("down"):
            downs = [ups[-1]]
            for number, beside in enumerate(ups[-2::-1], 1):
                wide, last = 2**number * width, number == len(ups) - 1
                stride = step(beside, downs[-1])
                x = _block(net, layers, downs[-1], wide, 3, f"{number}.stride", stride)
                wide, kernel = (wide // 2, 3) if last else (wide, 1)
                x = net.cat(x, beside)
                downs.append(_block(net, layers, x, wide, kernel, f"{number}.joined"))
        with net.scope("second"):
            x = _block(net, layers, downs[-1], width, 1, "0")
            for number, skip in enumerate(downs[-2::-1], 1):
                x = net.cat(_enlarged(net, x, skip), skip)
                few = max(1, width // 2) if skip is downs[0] else width
                x = _block(net, layers, x, few, 1, str(number))
            x = net.cat(_enlarged(net, x, half), half)
            x = _block(net, layers, x, max(1, width // 4), 1, "middle")
        with net.scope("coarse"):
            coarse = net.conv(x, x.channels, 3, name="conv")
            coarse = net.conv(coarse, net.outputs, 1, name="maps")
            net.supervise(coarse)
        x = net.cat(_enlarged(net, x, image), finest, _enlarged(net, coarse, image))
        net.head(net.conv(x, x.channels, 3, name="last"), name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        return super().plan(shapes, {"encoder": "densenet121", **fixed})


def _block(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    channels: int,
    kernel: int,
    name: str,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    with net.scope(name):
        return layers.block(net, x, channels, kernel, stride)


def _enlarged(net: Drawing, x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape == like.shape else net.resize(x, like)
