"""UltraLight VM-UNet: state spaces that parts of the channels share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.rows.state_space import scanned
from autoseg.blueprints.rows.transformers import attention_recipe
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

FEATURES = (8, 16, 24, 32, 48, 64)
PARTS = 4  # of the channels, and groups of a norm


@NETWORKS.register
class UltraLightVMUNet(Declaration):
    """Fifty thousand learned numbers; all skips are gated by what all have seen.

    Convolutions in the finest resolutions, in coarser ones a state space that is
    applied to each quarter of the channels. Outputs are made at half of the image's
    resolution and interpolated.

    References
    ----------
    .. [1] Wu et al., "UltraLight VM-UNet: parallel vision Mamba significantly reduces
       parameters for skin lesion segmentation", 2024. arXiv:2403.20035
    """

    recipe = attention_recipe("its authors use AdamW")

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        strides: Sequence[Sequence[int]],
        convolved: int = 3,
    ) -> None:
        """Draw encoder, gates, decoder and head.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each level; the last is the bottom, in the resolution of the one
            before.
        strides : sequence of sequence of int, shape (n, D)
            Of each level behind the first, which is all 1, and of the bottom.
        convolved : int
            How many levels are convolved; those below have state spaces.
        """
        net, last = drawing, len(features) - 1
        x, skips = net.image, []
        for stage, width in enumerate(features[:-1]):
            with net.scope(f"encoder.{stage}"):
                x = _norm(net, _layer(net, x, width, stage < convolved))
                x, _ = net.max_pool(x, strides[stage + 1])
                x = net.act(x, "gelu")
            skips.append(x)
        with net.scope(f"encoder.{last}"):
            x = net.act(_layer(net, x, features[-1], last < convolved), "gelu")
        with net.scope("bridge"):
            skips = _bridged(net, skips)
        for stage in range(last - 1, -1, -1):
            with net.scope(f"decoder.{stage}"):
                x = _norm(net, _layer(net, x, features[stage], stage + 1 < convolved))
                if x.shape != skips[stage].shape:
                    x = net.resize(x, skips[stage], "corners")
                x = net.add(net.act(x, "gelu"), skips[stage])
        net.head(x, like=net.image, mode="corners", name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        levels = min(len(FEATURES), len(shapes.strides))
        options = {
            "dim": len(shapes.patch_size),
            "features": list(FEATURES[:levels]),
            "strides": [list(stride) for stride in shapes.strides[:levels]],
            **fixed,
        }
        return {**options, "features": options["features"][:levels]}

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return len(fixed["features"]) if "features" in fixed else None

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        counts = {name: len(options[name]) for name in ("features", "strides")}
        if len({*counts.values()}) > 1 or counts["features"] < 2:
            raise PlanError(
                f"options of the network: features has {counts['features']} entries "
                f"and strides {counts['strides']}; give as many of both, 2 or more."
            )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [8, 8, 8],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "convolved": 1,
        }
        return options, (4,) + (8,) * (dim - 1)


def _norm(net: Drawing, x: Tensor) -> Tensor:
    groups = math.gcd(PARTS, x.channels)
    return net.norm(x, "group", groups=groups, name="after")


def _layer(net: Drawing, x: Tensor, channels: int, convolved: bool) -> Tensor:
    """Draw a convolution, or a state space that parts of the channels share."""
    if convolved:
        return net.conv(x, channels, 3, name="conv")
    return scanned(net, x, channels, math.gcd(PARTS, x.channels))


def _bridged(net: Drawing, skips: Sequence[Tensor]) -> list[Tensor]:
    """Gate the voxels, then the channels of skips; weights and averages are common."""
    seen, both = [], []
    for number, skip in enumerate(skips):
        with net.again():
            gate = net.conv(net.over_channels(skip), 1, 7, dilation=3, name="voxels")
        seen.append(net.gate(skip, net.act(gate, "sigmoid")))
        both.append(net.add(seen[number], skip))
    averages = net.cat(*(net.mean(x) for x in both))
    averages = net.among_channels(averages, 3, name="neighbors")
    found = []
    for number, x in enumerate(both):
        gate = net.conv(averages, x.channels, 1, name=f"channels.{number}")
        found.append(net.add(net.gate(x, net.act(gate, "sigmoid")), seen[number]))
    return found
