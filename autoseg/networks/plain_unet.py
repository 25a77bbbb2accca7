"""U-Net of plain convolutions, as in nnU-Net.

Weights of nnU-Net's ``PlainConvUNet`` fit without a change of name, once its copies
(``*.all_modules.*`` and ``decoder.encoder.*``) are dropped; s is a stage of the encoder
from the finest, d a level of the decoder from the deepest, j a convolution::

    encoder.stages.{s}.0.convs.{j}.{conv|norm}.{weight|bias}
    decoder.transpconvs.{d}.{weight|bias}
    decoder.stages.{d}.convs.{j}.{conv|norm}.{weight|bias}
    decoder.seg_layers.{d}.{weight|bias}        channels: those of all heads, in order

Legend: B batch, C channels, S spatial shape, D number of axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from autoseg.networks import NETWORKS
from autoseg.networks._blocks import (
    ConvStack,
    Decoder,
    Layers,
    UNet,
    check_head_stage,
    check_lengths,
    start_weights,
)


class _Encoder(nn.Module):
    def __init__(
        self,
        layers: Layers,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs: Sequence[int],
    ) -> None:
        super().__init__()
        pairs = list(zip(features, features[1:], strict=False))
        self.stages = nn.ModuleList(
            nn.Sequential(ConvStack(layers, pair, kernel, stride, count))
            for pair, kernel, stride, count in zip(
                pairs, kernels, strides, convs, strict=True
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return skips


@NETWORKS.register
class PlainUNet(UNet):
    """A U-Net whose stages are convolutions in a row.

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
    convs_encoder : list of int, length n
        Convolutions in each stage of the encoder.
    convs_decoder : list of int, length n - 1
        Convolutions in each level of the decoder, deepest first.
    head_stage : int
        Stage of the encoder whose resolution the finest outputs have. The levels of
        the decoder above it are left out.
    norm, bias, eps, slope
        As in `autoseg.networks._blocks.Layers`.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical
       image segmentation", MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
    .. [2] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
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
        convs_encoder: Sequence[int],
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
            convs_encoder=convs_encoder,
            convs_decoder=convs_decoder,
        )
        kind = Layers(dim=dim, norm=norm, bias=bias, eps=eps, slope=slope)
        channels = [in_channels, *features]
        encoder = _Encoder(kind, channels, kernels, strides, convs_encoder)
        outputs = sum(heads.values())
        check_head_stage(head_stage, len(features))
        decoder = Decoder(
            kind, features, kernels, strides, convs_decoder, outputs, head_stage
        )
        super().__init__(encoder, decoder, heads, strides, deep_supervision)
        start_weights(self, kind.slope)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options: dict[str, Any] = {
            "dim": dim,
            "features": [2, 4, 6],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim, [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "convs_encoder": [1, 2, 2],
            "convs_decoder": [2, 1],
        }
        return options, (4,) + (8,) * (dim - 1)
