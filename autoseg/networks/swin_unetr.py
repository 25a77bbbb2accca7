"""Swin UNETR: attention inside of shifted windows, and a decoder of convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, residual
from autoseg.blueprints.rows.transformers import (
    ATTENTION,
    DEPTHS,
    EPS,
    attention_recipe,
    check_stages,
    merged,
    stages_at_most,
    swin_layers,
)
from autoseg.networks import NETWORKS

WIDTH = 24


@NETWORKS.register
class SwinUNETR(Declaration):
    """Stages of windowed attention, read off after each, and convolutions up again.

    With ``convolve`` it is the second version: a residual block of convolutions stands
    in front of each stage [2]_.

    References
    ----------
    .. [1] Hatamizadeh et al., "Swin UNETR: Swin transformers for semantic segmentation
       of brain tumors in MRI images", BrainLes 2021. arXiv:2201.01266
    .. [2] He et al., "SwinUNETR-V2: stronger Swin transformers with stagewise
       convolutions for 3D medical image segmentation", MICCAI 2023.
       doi:10.1007/978-3-031-43901-8_40
    """

    # Rate and decay of the authors' code (Project-MONAI/research-contributions).
    recipe = attention_recipe(
        "its authors train with AdamW at 0.0001 and a warm-up",
        learning_rate=1e-4,
        second_momentum=0.999,
        weight_decay=1e-5,
        schedule="warmup_cosine",
    )

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: int,
        strides: Sequence[Sequence[int]],
        depths: Sequence[int] = DEPTHS,
        attention: Sequence[int] = ATTENTION,
        window: int = 7,
        convolve: bool = False,
        **more: Any,
    ) -> None:
        """Draw the transformer, skips and decoder.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : int
            Channels of the first stage; doubled with each.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of each resolution; the first is all 1, the second a token's size.
        depths, attention : sequence of int
            Layers of each stage, and heads of their attention.
        window : int
            Edge of a window, in tokens.
        convolve : bool
            Put a residual block in front of each stage.
        **more
            Fields of `Layers`; convolutions have no bias.
        """
        net, kind = drawing, Layers(**{"bias": False, **more})
        taps = _transformer(
            net, kind, features, strides, depths, attention, window, convolve
        )
        skips, last = [net.image, *taps], len(strides) - 1
        for stage, x in enumerate(skips):
            # The last skip but one goes to the decoder as it is.
            if stage != last - 1 or last == 1:
                width = x.channels if stage else features
                with net.scope(f"skips.{stage}"):
                    skips[stage] = residual(net, kind, x, width)
        x = skips.pop()
        for stage in range(last - 1, -1, -1):
            skip = skips.pop()
            with net.scope(f"decoder.{stage}"):
                x = net.deconv(
                    x, skip.channels, strides[stage + 1], bias=False, name="up"
                )
                x = residual(net, kind, net.cat(x, skip), skip.channels)
        net.head(x, name="decoder.head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        most = cls.most_stages(fixed)
        options = {
            "dim": len(shapes.patch_size),
            "features": WIDTH,
            "strides": [list(stride) for stride in shapes.strides[:most]],
        }
        return {**options, **fixed}

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return stages_at_most(fixed)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        check_stages(options, max(1, len(options["strides"]) - 2))

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": 4,
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "depths": [2],
            "attention": [2],
            "window": 2,
        }
        return options, (4,) + (12,) * (dim - 1)


def _transformer(
    net: Drawing,
    kind: Layers,
    features: int,
    strides: Sequence[Sequence[int]],
    depths: Sequence[int],
    attention: Sequence[int],
    window: int,
    convolve: bool,
) -> list[Tensor]:
    """Draw all stages; return what each begins with, and the last one's end."""
    grid = net.conv(net.image, features, strides[1], strides[1], name="tokens.embed")
    x = net.tokens(grid)
    taps = [_normalized(net, x, grid)]
    for stage in range(max(1, len(strides) - 2)):
        with net.scope(f"stages.{stage}"):
            if convolve:
                with net.scope("convolve"):
                    x = net.tokens(residual(net, kind, net.grid(x, grid), x.channels))
            heads = attention[stage]
            x = swin_layers(net, x, grid, depths[stage], heads, window)
            if stage + 2 < len(strides):
                x, grid = merged(net, x, grid, strides[stage + 2])
                taps.append(_normalized(net, x, grid))
            else:  # an image that can be halved once only
                taps[-1] = _normalized(net, x, grid)
    return taps


def _normalized(net: Drawing, x: Tensor, grid: Tensor) -> Tensor:
    name = f"tokens.norm{x.number}"
    return net.grid(net.norm(x, "layer", eps=EPS, affine=False, name=name), grid)
