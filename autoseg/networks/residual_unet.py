"""U-Net with a residual encoder, as in nnU-Net's "ResEnc" presets.

Weights of nnU-Net's ``ResidualEncoderUNet`` fit without a change of name, once its
copies (``*.all_modules.*`` and ``decoder.encoder.*``) are dropped; s is a stage of the
encoder from the finest, b a block, the decoder is that of `plain_unet`::

    encoder.stem.convs.0.{conv|norm}.{weight|bias}
    encoder.stages.{s}.blocks.{b}.{conv1|conv2}.{conv|norm}.{weight|bias}
    encoder.stages.{s}.blocks.{b}.skip.{k}.{conv.weight|norm.*}     k = 1 after a pool

Legend: B batch, C channels, S spatial shape, D number of axes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from autoseg.networks import NETWORKS
from autoseg.networks._blocks import (
    POOLS,
    ConvBlock,
    ConvStack,
    Decoder,
    Layers,
    UNet,
    check_head_stage,
    check_lengths,
    start_weights,
)


class _Block(nn.Module):
    """Two convolutions beside a short cut that pools and projects where needed."""

    def __init__(
        self,
        layers: Layers,
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
    ) -> None:
        super().__init__()
        c_in, c_out = channels
        ones = (1,) * layers.dim
        self.conv1 = ConvBlock(layers, channels, kernel, stride)
        self.conv2 = ConvBlock(layers, (c_out, c_out), kernel, ones, activate=False)
        self.activate = layers.activation()
        skip: list[nn.Module] = []
        if any(step != 1 for step in stride):
            skip.append(POOLS[layers.dim](tuple(stride), tuple(stride)))
        if c_in != c_out:
            unbiased = dataclasses.replace(layers, bias=False)
            skip.append(ConvBlock(unbiased, channels, ones, ones, activate=False))
        self.skip = nn.Sequential(*skip)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activate(self.conv2(self.conv1(x)) + self.skip(x))
        return result


class _Stage(nn.Module):
    def __init__(
        self,
        layers: Layers,
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
        count: int,
    ) -> None:
        super().__init__()
        c_in, c_out = channels
        ones = (1,) * layers.dim
        blocks = [_Block(layers, (c_in, c_out), kernel, stride)]
        blocks += [
            _Block(layers, (c_out, c_out), kernel, ones) for _ in range(count - 1)
        ]
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.blocks(x)
        return result


class _Encoder(nn.Module):
    def __init__(
        self,
        layers: Layers,
        in_channels: int,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        first, ones = features[0], (1,) * layers.dim
        self.stem = ConvStack(layers, (in_channels, first), kernels[0], ones, 1)
        pairs = list(zip([first, *features], features, strict=False))
        self.stages = nn.ModuleList(
            _Stage(layers, pair, kernel, stride, count)
            for pair, kernel, stride, count in zip(
                pairs, kernels, strides, blocks, strict=True
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return skips


@NETWORKS.register
class ResidualUNet(UNet):
    """A U-Net whose encoder's stages are residual blocks.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    heads : mapping of str to int
        Channels of each head.
    deep_supervision : bool
        Give one output for each level of the decoder, n - 1 of them, finest first.
    dim : int
        Number of spatial axes, D: 2 or 3.
    features : list of int, length n
        Channels of each stage, finest first.
    kernels, strides : list of list of int, shape (n, D)
        Of each stage; the first stride is all 1.
    blocks : list of int, length n
        Residual blocks in each stage of the encoder.
    convs_decoder : list of int, length n - 1
        Convolutions in each level of the decoder, deepest first.
    head_stage : int
        Stage of the encoder whose resolution the finest outputs have. The levels of
        the decoder above it are left out.
    norm, bias, eps, slope
        As in `autoseg.networks._blocks.Layers`.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net revisited: a call for rigorous validation in 3D
       medical image segmentation", MICCAI 2024. doi:10.1007/978-3-031-72114-4_47
    .. [2] He et al., "Bag of tricks for image classification with convolutional
       neural networks", CVPR 2019 (variant D of the short cut).
       doi:10.1109/CVPR.2019.00065
    """

    def __init__(
        self,
        in_channels: int,
        heads: Mapping[str, int],
        deep_supervision: bool = False,
        *,
        dim: int,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        blocks: Sequence[int],
        convs_decoder: Sequence[int],
        head_stage: int = 0,
        norm: Literal["instance", "batch"] = "instance",
        bias: bool = True,
        eps: float = 1e-5,
        slope: float = 0.01,
    ) -> None:
        check_lengths(
            dim,
            features,
            kernels=kernels,
            strides=strides,
            blocks=blocks,
            convs_decoder=convs_decoder,
        )
        kind = Layers(dim=dim, norm=norm, bias=bias, eps=eps, slope=slope)
        encoder = _Encoder(kind, in_channels, features, kernels, strides, blocks)
        outputs = sum(heads.values())
        check_head_stage(head_stage, len(features))
        decoder = Decoder(
            kind, features, kernels, strides, convs_decoder, outputs, head_stage
        )
        super().__init__(encoder, decoder, heads, strides, deep_supervision)
        start_weights(self, kind.slope)
        for module in self.modules():
            if isinstance(module, _Block):  # each block starts as its short cut
                for parameter in module.conv2.norm.parameters():
                    nn.init.zeros_(parameter)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options: dict[str, Any] = {
            "dim": dim,
            "features": [2, 4, 4],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim, [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "blocks": [1, 2, 1],
            "convs_decoder": [1, 1],
        }
        return options, (4,) + (8,) * (dim - 1)
