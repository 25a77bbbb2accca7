"""LightM-UNet: state spaces on the way down, separable convolutions on the way up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.rows.row import Stages
from autoseg.blueprints.rows.state_space import scanned
from autoseg.blueprints.rows.transformers import attention_recipe
from autoseg.networks import NETWORKS

FEATURES, MOST = 16, 128  # of the first stage; doubled up to a most


@NETWORKS.register
class LightMUNet(Stages):
    """Residual blocks of state spaces; skips are added.

    Its authors have 32 channels, doubled three times; 16 and fewer deep ones are
    planned, since each resolution has several state spaces.

    References
    ----------
    .. [1] Liao et al., "LightM-UNet: Mamba assists in lightweight UNet for medical
       image segmentation", 2024. arXiv:2403.05246
    """

    recipe = attention_recipe("its authors use Adam")
    counts = "blocks"
    depth = (1, 2, 2, 4)
    convs = 1
    # Where few channels are all below 0, a layer norm enlarges what rounding leaves.
    tiny = {"features": [16, 16, 16], "blocks": [1, 1, 1], "convs_decoder": [1, 1]}

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        blocks: Sequence[int],
        convs_decoder: Sequence[int],
        groups: int = 8,
    ) -> None:
        """Draw encoder, decoder and head.

        Parameters
        ----------
        drawing, features, kernels, strides
            See `Row.draw`.
        blocks : sequence of int, length n
            Residual blocks of each resolution.
        convs_decoder : sequence of int, length n - 1
            Separable convolutions of each level.
        groups : int
            Of channels that are normalized together, where they can be cut so.
        """
        net = drawing
        with net.scope("stem"):
            x = _separable(net, net.image, features[0], kernels[0])
        skips = []
        for stage, width in enumerate(features):
            with net.scope(f"encoder.{stage}"):
                if stage:
                    with net.scope("down"):
                        x = scanned(net, x, width)
                    x, _ = net.max_pool(x, strides[stage])
                for number in range(blocks[stage]):
                    with net.scope(f"blocks.{number}"):
                        x = net.add(_block(net, x, groups), x)
            skips.append(x)
        for level, count in enumerate(convs_decoder):
            stage = len(features) - 2 - level
            with net.scope(f"decoder.{level}"):
                x = net.conv(x, features[stage], 1, bias=False, name="narrow")
                x = net.add(net.resize(x, skips[stage]), skips[stage])
                for number in range(count):
                    with net.scope(f"convs.{number}"):
                        x = _up_block(net, x, kernels[stage], groups)
        x = _active(net, x, groups, "norm")
        net.head(
            net.conv(x, x.channels, 1, groups=x.channels, name="last"), name="head"
        )

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides)
        widths = [min(FEATURES * 2**stage, MOST) for stage in range(stages)]
        return super().plan(shapes, {"features": widths, **fixed})


def _active(net: Drawing, x: Tensor, groups: int, name: str) -> Tensor:
    """Normalize and activate."""
    parts = math.gcd(groups, x.channels)
    return net.act(net.norm(x, "group", groups=parts, name=name), "relu")


def _block(net: Drawing, x: Tensor, groups: int) -> Tensor:
    """Draw two state spaces, each of what is normalized and activated."""
    for place in ("1", "2"):
        x = _active(net, x, groups, f"norm{place}")
        with net.scope(f"scan{place}"):
            x = scanned(net, x, x.channels)
    return x


def _up_block(net: Drawing, x: Tensor, kernel: Sequence[int], groups: int) -> Tensor:
    """Draw a separable convolution beside a scaled short cut."""
    y = _separable(net, _active(net, x, groups, "norm1"), x.channels, kernel)
    y = net.add(y, net.scale(x, start=1.0, alike=True, name="short"))
    return _active(net, y, groups, "norm2")


def _separable(net: Drawing, x: Tensor, channels: int, kernel: Sequence[int]) -> Tensor:
    """Convolve channel by channel, then mix them."""
    x = net.conv(x, x.channels, kernel, groups=x.channels, bias=False, name="depthwise")
    return net.conv(x, channels, 1, bias=False, name="mix")
