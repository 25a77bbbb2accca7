"""V-Net: convolutions of 5, short cuts around stages and around what is stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS

FEATURES = 16  # of the first stage
DOWN, UP = (1, 1, 2, 3, 2), (2, 2, 1, 1)  # convolutions; as in MONAI and mattmacy/vnet


@NETWORKS.register
class VNet(Stages):
    """Residual stages; levels of the decoder add what they stack, in all its channels.

    The image is repeated to as many channels as the first stage has, or projected to
    them if it cannot be. As in MONAI, but for its dropout.

    References
    ----------
    .. [1] Milletari, Navab, Ahmadi, "V-Net: fully convolutional neural networks for
       volumetric medical image segmentation", 3DV 2016. arXiv:1606.04797
    """

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs_encoder: Sequence[int],
        convs_decoder: Sequence[int],
        **layers: Any,
    ) -> None:
        """Draw both ways; see `Row.draw`. A level has twice its stage's channels."""
        net, kind = drawing, Layers(**layers)
        x, skips = _first(net, kind, features[0], kernels[0]), []
        for number, width in enumerate(features):
            if number:
                skips.append(x)
                with net.scope(f"encoder.down.{number}"):
                    x = kind.block(net, x, width, strides[number], strides[number])
                with net.scope(f"encoder.stages.{number}"):
                    count = convs_encoder[number]
                    x = _around(net, kind, x, kernels[number], count)
        for level, skip in enumerate(skips[::-1]):
            with net.scope(f"decoder.up.{level}"):
                step = strides[-level - 1]
                x = net.deconv(x, skip.channels, step, name="conv")
                x = kind.activate(net, kind.normalize(net, x))
            with net.scope(f"decoder.stages.{level}"):
                kernel, count = kernels[-level - 2], convs_decoder[level]
                x = _around(net, kind, net.cat(x, skip), kernel, count)
        with net.scope("decoder.last"):
            x = kind.block(net, x, net.outputs, kernels[0])
        net.head(x, name="decoder.seg_layers.0")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides)
        options = {
            **super().plan(shapes, {}),
            "features": [FEATURES * 2 ** min(stage, 4) for stage in range(stages)],
            "kernels": [[2 * k - 1 for k in kernel] for kernel in shapes.kernels],
            "convs_encoder": [DOWN[min(s, len(DOWN) - 1)] for s in range(stages)],
            "convs_decoder": ([UP[0]] * stages + list(UP))[-(stages - 1) :],
            "norm": "batch",
            "act": "elu",
            "bias": False,
        }
        fixed = {key: value for key, value in fixed.items() if key != "head_stage"}
        return {**options, **fixed}


def _first(
    net: Drawing, layers: Layers, channels: int, kernel: Sequence[int]
) -> Tensor:
    with net.scope("encoder.stages.0"):
        x = layers.block(net, net.image, channels, kernel, activate=False)
        times, rest = divmod(channels, net.image.channels)
        if rest:
            short = net.conv(net.image, channels, 1, bias=False, name="short")
        else:
            short = net.cat(*[net.image] * times) if times > 1 else net.image
        return layers.activate(net, net.add(x, short))


def _around(
    net: Drawing, layers: Layers, x: Tensor, kernel: Sequence[int], count: int
) -> Tensor:
    """Convolve so often, and add what there was before."""
    y = x
    for number in range(count):
        with net.scope(f"convs.{number}"):
            y = layers.block(net, y, x.channels, kernel)
    return layers.activate(net, net.add(y, x))
