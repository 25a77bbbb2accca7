"""UNETR: a transformer on patches of the image, read off at several depths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, residual
from autoseg.blueprints.rows.transformers import EPS, attention_recipe, layer
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

HALVINGS = 4  # a token is the patch's part that so many halvings make one voxel
FEATURES = 16
LAYERS = 12


@NETWORKS.register
class UNETR(Declaration):
    """Tokens of the image, layers of attention, and a decoder of convolutions.

    Skips are tokens after a part of the layers, brought back to the grid step by step.
    Positions are learned, so that it works on patches of one shape only.

    References
    ----------
    .. [1] Hatamizadeh et al., "UNETR: transformers for 3D medical image segmentation",
       WACV 2022. arXiv:2103.10504
    """

    # Rate and decay of the authors' code (Project-MONAI/research-contributions), which
    # warms up for one hundredth of 5,000 epochs; trainings here are far shorter.
    recipe = attention_recipe(
        "its authors train with AdamW at 0.0001 and a warm-up",
        learning_rate=1e-4,
        second_momentum=0.999,
        weight_decay=1e-5,
        schedule="warmup_cosine",
    )
    fixed_shape = True

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        patch: Sequence[int],
        strides: Sequence[Sequence[int]],
        features: Sequence[int],
        hidden: int = 768,
        mlp: int = 3072,
        attention: int = 12,
        layers: int = LAYERS,
        **more: Any,
    ) -> None:
        """Draw the transformer, skips and decoder.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        patch : sequence of int, length D
            The shape of all images.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of each stage; the first is all 1. Their product is the size of a token.
        features : sequence of int, length n
            Channels of the decoder's levels, finest first.
        hidden, mlp : int
            Channels of a token, and inside of a layer.
        attention, layers : int
            Heads of a layer, and layers.
        **more
            Fields of `Layers`; convolutions have no bias.
        """
        net, kind, steps = drawing, Layers(**{"bias": False, **more}), len(features)
        taps = _transformer(net, strides, hidden, mlp, attention, layers, steps)
        with net.scope("skips.0"):
            skips = [residual(net, kind, net.image, features[0])]
        for stage in range(1, steps):
            tap, ways = taps[stage - 1], strides[stage + 1 :]
            with net.scope(f"skips.{stage}"):
                skips.append(_skip(net, kind, tap, features[stage], ways))
        x = taps[-1]
        for stage in range(steps - 1, -1, -1):
            width, stride = features[stage], strides[stage + 1]
            with net.scope(f"decoder.{stage}"):
                large = net.deconv(x, width, stride, bias=False, name="up")
                x = residual(net, kind, net.cat(large, skips[stage]), width)
        net.head(x, name="decoder.head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        steps = min(HALVINGS, len(shapes.strides) - 1)
        options = {
            "dim": len(shapes.patch_size),
            "patch": list(shapes.patch_size),
            "strides": [list(stride) for stride in shapes.strides[: steps + 1]],
            "features": [FEATURES * 2**stage for stage in range(steps)],
        }
        widths = list(fixed.get("features", options["features"]))
        return {**options, **fixed, "features": widths[:steps]}  # of a small patch

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return len(fixed["features"]) + 1 if "features" in fixed else None

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        steps = len(options["features"])
        if len(options["strides"]) != steps + 1 or steps < 1:
            raise PlanError(
                f"options of the network: features has {steps} entries and strides "
                f"{len(options['strides'])}; give strides for the image and for "
                "each feature."
            )
        if options.get("layers", LAYERS) < steps:
            raise PlanError(
                f"options of the network: {options['layers']} layers are too few to be "
                f"read off {steps} times; give {steps} or more."
            )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        patch = (4,) + (8,) * (dim - 1)
        options = {
            "dim": dim,
            "patch": list(patch),
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "features": [4, 6],
            "hidden": 8,
            "mlp": 12,
            "attention": 2,
            "layers": 2,
        }
        return options, patch


def _transformer(
    net: Drawing,
    strides: Sequence[Sequence[int]],
    hidden: int,
    mlp: int,
    heads: int,
    layers: int,
    steps: int,
) -> list[Tensor]:
    """Draw all layers; return the tokens, on their grid, after each part of them."""
    size = [math.prod(axis) for axis in zip(*strides, strict=True)]
    grid = net.conv(net.image, hidden, size, size, name="tokens.embed")
    x = net.position(net.tokens(grid), name="tokens.position")
    taps, tapped = [], {round(part * layers / steps) for part in range(1, steps)}
    for number in range(layers):
        with net.scope(f"layers.{number}"):
            x = layer(net, x, mlp, heads, bias=False)
        if number + 1 in tapped:
            taps.append(net.grid(x, grid))
    last = net.norm(x, "layer", eps=EPS, name="layers.norm")
    return [*taps, net.grid(last, grid)]


def _skip(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    channels: int,
    strides: Sequence[Sequence[int]],
) -> Tensor:
    """Enlarge tokens, the coarsest step first, to the resolution of a stage."""
    x = net.deconv(x, channels, strides[-1], bias=False, name="up")
    for number, stride in enumerate(reversed(strides[:-1])):
        with net.scope(f"steps.{number}"):
            x = net.deconv(x, channels, stride, bias=False, name="up")
            x = residual(net, layers, x, channels)
    return x
