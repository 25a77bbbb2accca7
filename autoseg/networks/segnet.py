"""SegNet: the way up puts numbers back where the way down took them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS


@NETWORKS.register
class SegNet(Stages):
    """Max pooling whose places the decoder reads; no features are handed across.

    A level of the decoder ends with the channels of the next finer one; the last
    convolution of the finest level is the head.

    References
    ----------
    .. [1] Badrinarayanan, Kendall, Cipolla, "SegNet: a deep convolutional
       encoder-decoder architecture for image segmentation", TPAMI 39, 2017.
       doi:10.1109/TPAMI.2016.2644615
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
        """Draw both ways; see `Row.draw`. A stage may have no convolution at all."""
        net, kind, x = drawing, Layers(**layers), drawing.image
        places, sizes = [], []
        for number, count in enumerate(convs_encoder):
            if number:
                sizes.append(x)
                x, taken = net.max_pool(x, strides[number])
                places.append(taken)
            # What is unpooled has the channels of the stage above.
            last = features[number if number < len(features) - 1 else number - 1]
            widths = [features[number]] * (count - 1) + [last]
            with net.scope(f"encoder.stages.{number}"):
                x = _convs(net, kind, x, widths[:count], kernels[number])
        for level, count in enumerate(convs_decoder):
            stage = len(features) - 2 - level
            x = net.unpool(x, places.pop(), sizes.pop())
            widths = [features[stage]] * (count - 1)
            widths += [features[stage - 1]] if stage else []
            with net.scope(f"decoder.stages.{level}"):
                x = _convs(net, kind, x, widths, kernels[stage])
        net.head(x, kernels[0], name="decoder.seg_layers.0")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        options = super().plan(shapes, fixed)
        options.pop("head_stage", None)
        return options


def _convs(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    widths: Sequence[int],
    kernel: Sequence[int],
) -> Tensor:
    for number, width in enumerate(widths):
        with net.scope(f"convs.{number}"):
            x = layers.block(net, x, width, kernel)
    return x
