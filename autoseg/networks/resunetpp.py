"""ResUNet++: residual blocks that gate their channels, dilations, gated decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, Stage
from autoseg.blueprints.rows.blocks import PreActivated
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS

RATES = (6, 12, 18)


@NETWORKS.register
class ResUNetPlusPlus(Stages):
    """Squeeze and excitation in each block; dilated context at both ends.

    As its authors have it: what comes from below is gated by the skip of its level. The
    last entry of ``features`` is that of the context at the bottom.

    References
    ----------
    .. [1] Jha et al., "ResUNet++: an advanced architecture for medical image
       segmentation", ISM 2019. arXiv:1911.07067
    """

    depth = (1,)
    convs = 1
    # Gates have no bias: of few channels, each may be silent for a whole batch.
    tiny = {"features": [4, 8, 8], "norm": "batch", "reduction": 1}

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
        reduction: int = 8,
        **layers: Any,
    ) -> None:
        """Draw both ways; see `Row.draw`.

        Parameters
        ----------
        drawing, kernels, strides, **layers
            See `Row.draw`.
        features : sequence of int, length n
            Channels of each stage; the bottom has twice the last.
        convs_encoder, convs_decoder : sequence of int, lengths n and n - 1
            Blocks of each stage; the finest of the encoder has one.
        reduction : int
            How many times fewer channels the gates have inside.
        """
        net, kind = drawing, Layers(**layers)
        block = PreActivated(attention="se", reduction=reduction, norm_of_stem=True)
        x, skips = net.image, []
        for number, width in enumerate(features):
            stage = Stage(
                channels=width,
                kernel=kernels[number],
                stride=strides[number],
                count=convs_encoder[number],
            )
            with net.scope(f"encoder.stages.{number}"):
                x = (block.draw if number else block.stem)(net, kind, x, stage)
            skips.append(x)
        with net.scope("encoder.context"):
            x = _context(net, kind, x, 2 * features[-1])
        for level, skip in enumerate(skips[-2::-1]):
            stride, kernel = strides[-level - 1], kernels[-level - 2]
            with net.scope(f"decoder.gates.{level}"):
                x = _gated(net, kind, skip, x, stride, kernel)
            large = net.resize(x, skip, "nearest")
            stage = Stage(
                channels=features[-level - 1],
                kernel=kernel,
                stride=(1,) * net.dim,
                count=convs_decoder[level],
            )
            with net.scope(f"decoder.stages.{level}"):
                x = block.draw(net, kind, net.cat(large, skip), stage)
        with net.scope("decoder.context"):
            x = _context(net, kind, x, features[0])
        net.head(x, name="decoder.seg_layers.0")


def _context(net: Drawing, layers: Layers, x: Tensor, channels: int) -> Tensor:
    """Add branches with dilations, and mix their channels."""
    branches = []
    for number, rate in enumerate((*RATES, 1)):
        with net.scope(f"branches.{number}"):
            seen = layers.block(net, x, channels, 3, dilation=rate, activate=False)
            branches.append(seen)
    return net.conv(net.add(*branches), channels, 1, name="mix")


def _gated(
    net: Drawing,
    layers: Layers,
    skip: Tensor,
    below: Tensor,
    stride: Sequence[int],
    kernel: Sequence[int],
) -> Tensor:
    """Multiply what comes from below by what it and the skip say of each number."""

    def first(x: Tensor, name: str) -> Tensor:
        with net.scope(name):
            y = layers.activate(net, layers.normalize(net, x))
            return net.conv(y, below.channels, kernel, bias=layers.bias, name="conv")

    here, _ = net.max_pool(first(skip, "skip"), stride)
    both = net.add(here, first(below, "below"))
    return net.gate(below, first(both, "both"))
