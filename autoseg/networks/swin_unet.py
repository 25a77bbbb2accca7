"""Swin-Unet: attention inside of shifted windows on the way down and up again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
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

WIDTH = 96


@NETWORKS.register
class SwinUnet(Declaration):
    """A U-Net without convolutions: blocks of voxels are merged, and made again.

    Its skips are stacked, and mixed by one matrix for each token.

    References
    ----------
    .. [1] Cao et al., "Swin-Unet: Unet-like pure transformer for medical image
       segmentation", ECCV 2022 workshops. arXiv:2105.05537
    """

    recipe = attention_recipe(
        "its authors use SGD, but begin with weights of other pictures"
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
    ) -> None:
        """Draw the way down and up.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : int
            Channels of the first stage, an even number; doubled with each.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of each resolution; the first is all 1, the second a token's size.
        depths, attention : sequence of int
            Layers of each stage, and heads of their attention.
        window : int
            Edge of a window, in tokens.
        """
        net, stages = drawing, len(strides) - 1
        grid = net.conv(net.image, features, strides[1], strides[1], name="embed")
        x = net.norm(net.tokens(grid), "layer", eps=EPS, name="norm_tokens")
        levels = []
        for stage in range(stages):
            if stage:
                with net.scope(f"down.{stage - 1}"):
                    x, grid = merged(net, x, grid, strides[stage + 1])
            with net.scope(f"encoder.{stage}"):
                x = swin_layers(net, x, grid, depths[stage], attention[stage], window)
            levels.append((x, grid))
        x, grid = net.norm(x, "layer", eps=EPS, name="norm_deepest"), levels.pop()[1]
        for stage in range(stages - 2, -1, -1):
            (skip, fine), stride = levels.pop(), strides[stage + 2]
            with net.scope(f"up.{stage}"):
                x = _enlarged(net, x, grid, skip.channels, stride)
                mixed = net.linear(x, skip.channels, name="mix")
                # Of both, stacked; the bias is there once.
                more = net.linear(skip, skip.channels, bias=False, name="mix_skip")
                x, grid = net.add(mixed, more), fine
            with net.scope(f"decoder.{stage}"):
                x = swin_layers(net, x, grid, depths[stage], attention[stage], window)
        x = net.norm(x, "layer", eps=EPS, name="norm_finest")
        with net.scope("up.image"):
            x = _enlarged(net, x, grid, features, strides[1])
        net.head(net.grid(x, net.image), name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        strides = [list(stride) for stride in shapes.strides[: cls.most_stages(fixed)]]
        if len(strides) > 3:  # a token has the size of two halvings
            token = [a * b for a, b in zip(strides[1], strides[2], strict=True)]
            strides = [strides[0], token, *strides[3:]]
        return {
            "dim": len(shapes.patch_size),
            "features": WIDTH,
            "strides": strides,
            **fixed,
        }

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return stages_at_most(fixed)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        check_stages(options, len(options["strides"]) - 1)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": 8,
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "depths": [1, 2],
            "attention": [1, 2],
            "window": 2,
        }
        return options, (4,) + (12,) * (dim - 1)


def _enlarged(
    net: Drawing, x: Tensor, grid: Tensor, channels: int, stride: Sequence[int]
) -> Tensor:
    """Make the channels of a block of finer tokens of each token."""
    wide = channels * math.prod(stride)
    x = net.grid(net.linear(x, wide, bias=False, name="expand"), grid)
    x = net.tokens(net.expand(x, stride))
    return net.norm(x, "layer", eps=EPS, name="norm")
