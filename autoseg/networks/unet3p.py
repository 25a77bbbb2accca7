"""UNet 3+: each level of the decoder sees all resolutions at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Down, Layers, Stage
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS


@NETWORKS.register
class UNet3Plus(Stages):
    """Skips of full scale: what is finer is pooled, what is coarser interpolated.

    With deep supervision each level and the bottom have a head, whose outputs are all
    enlarged to the image's resolution and count the same. With ``guide`` all are
    multiplied by how sure the bottom is that there is anything of a class, so that what
    is nowhere is not found in some place. Its authors round that number, so that what
    makes it learns by a loss of its own; here it learns by all outputs.

    References
    ----------
    .. [1] Huang et al., "UNet 3+: a full-scale connected UNet for medical image
       segmentation", ICASSP 2020. arXiv:2004.08790
    """

    supervision = "full"
    tiny = {"seen": 3, "convs_decoder": [1, 1]}
    convs = 1
    # The 64 of its authors cost twenty times as much as a plain U-Net of 32 features.
    planned = {"seen": 16}

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
        seen: int = 64,
        guide: bool = False,
        down: Down = "max_pool",
        **layers: Any,
    ) -> None:
        """Draw level after level; see `Row.draw`.

        Parameters
        ----------
        drawing, features, kernels, strides, convs_encoder, down, **layers
            See `Row.draw`.
        convs_decoder : sequence of int, length n - 1
            Convolutions of each level, once all is stacked.
        seen : int
            Channels of what a level sees of each resolution.
        guide : bool
            Multiply the outputs by what the bottom says of each class.
        """
        net, kind = drawing, Layers(**layers)
        stages = [
            Stage(channels=f, kernel=k, stride=s, count=c)
            for f, k, s, c in zip(
                features, kernels, strides, convs_encoder, strict=True
            )
        ]
        skips = cls.encoder(net, kind, stages, down)
        last = len(skips) - 1
        found = {last: skips[-1]}  # of the decoder, by stage
        heads = [(skips[-1], last)]
        for level, stage in enumerate(range(last - 1, -1, -1)):
            with net.scope(f"decoder.stages.{level}"):
                x = net.cat(*_seen(net, kind, skips, found, stage, seen, kernels))
                for number in range(convs_decoder[level]):
                    with net.scope(f"convs.{number}"):
                        x = kind.block(net, x, x.channels, kernels[stage])
            found[stage] = x
            heads.append((x, stage))
        gate = _guide(net, skips[-1]) if guide else None
        for number, (x, stage) in enumerate(heads):
            name = f"decoder.seg_layers.{number}"
            net.head(x, kernels[stage], by=gate, like=net.image, name=name)


def _guide(net: Drawing, x: Tensor) -> Tensor:
    """Return for each output how sure it is that there is anything of it."""
    said = net.conv(x, net.outputs, 1, name="guide")
    return net.act(net.adaptive_pool(said, 1, "largest"), "sigmoid")


def _seen(
    net: Drawing,
    layers: Layers,
    skips: Sequence[Tensor],
    found: dict[int, Tensor],
    stage: int,
    seen: int,
    kernels: Sequence[Sequence[int]],
) -> list[Tensor]:
    """Return what a level sees, finest first, in its own resolution."""
    here, sources = skips[stage], []
    for other in range(len(skips)):
        x = skips[other] if other <= stage else found[other]
        if other < stage:
            ratio = [n // m for n, m in zip(x.shape, here.shape, strict=True)]
            if math.prod(ratio) > 1:
                x, _ = net.max_pool(x, ratio)
        elif x.shape != here.shape:
            x = net.resize(x, here)
        with net.scope(f"of.{other}"):
            sources.append(layers.block(net, x, seen, kernels[stage]))
    return sources
