"""ResUNet: residual blocks whose norm and activation come first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.parts import Layers, Stage
from autoseg.blueprints.rows.blocks import PreActivated
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS


@NETWORKS.register
class ResUNet(Stages):
    """Pre-activated residual blocks both ways; short cuts are convolved.

    As in rishikksh20/ResUnet: a short cut has a convolution of 3 and a norm, and what
    is enlarged keeps its channels.

    References
    ----------
    .. [1] Zhang, Liu, Wang, "Road extraction by deep residual U-Net", IEEE Geoscience
       and Remote Sensing Letters 15, 2018. arXiv:1711.10684
    """

    depth = (1,)
    convs = 1

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
        short: int = 3,
        **layers: Any,
    ) -> None:
        """Draw both ways; see `Row.draw`.

        Parameters
        ----------
        drawing, features, kernels, strides, **layers
            See `Row.draw`.
        convs_encoder, convs_decoder : sequence of int, lengths n and n - 1
            Blocks of each stage; the finest of the encoder has one.
        short : int
            Kernel of the short cuts.
        """
        net, kind, block = drawing, Layers(**layers), PreActivated(short)
        x, skips = net.image, []
        for number, width in enumerate(features):
            stage = Stage(
                channels=width,
                kernel=kernels[number],
                stride=strides[number],
                count=convs_encoder[number],
            )
            with net.scope(f"encoder.stages.{number}"):
                draw = block.draw if number else block.stem
                x = draw(net, kind, x, stage)
            skips.append(x)
        for level, skip in enumerate(skips[-2::-1]):
            name, step = f"decoder.transpconvs.{level}", strides[-level - 1]
            large = net.deconv(x, x.channels, step, bias=kind.bias, name=name)
            stage = Stage(
                channels=skip.channels,
                kernel=kernels[-level - 2],
                stride=(1,) * net.dim,
                count=convs_decoder[level],
            )
            with net.scope(f"decoder.stages.{level}"):
                x = block.draw(net, kind, net.cat(large, skip), stage)
            net.head(x, name=f"decoder.seg_layers.{level}")
