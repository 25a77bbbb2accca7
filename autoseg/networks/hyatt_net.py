"""HYATT-Net: routed attention and convolutions at five resolutions, and a pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import cbam
from autoseg.blueprints.rows.routing import check_stages, most_strides, routing_layers
from autoseg.blueprints.rows.transformers import attention_recipe
from autoseg.networks import NETWORKS

FEATURES = (32, 64, 160, 256, 512)
WIDER = (8, 8, 8, 4, 4)
WINDOWS = (8, 8, 4, 4, 2)
MOST = (1, 4, 8, 16, 16)
LISTS = {"wider": WIDER, "windows": WINDOWS, "most": MOST}
HEAD = 32


@NETWORKS.register
class HYATTNet(Declaration):
    """Each stage looks far by attention, then near by gated convolutions.

    After the paper, of half its widths, and with one head of logits: its authors'
    network for landmarks also has heads of offsets and of the whole image.

    References
    ----------
    .. [1] Zhou et al., "Hybrid attention network: an efficient approach for
       anatomy-free landmark detection", 2024. arXiv:2412.06499
    """

    recipe = attention_recipe("its authors use Adam")

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        strides: Sequence[Sequence[int]],
        wider: Sequence[int] = WIDER,
        windows: Sequence[int] = WINDOWS,
        most: Sequence[int] = MOST,
        pyramid: int = 128,
        **more: Any,
    ) -> None:
        """Draw stages, pyramid and head.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each stage.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of the image, which is all 1, and of each stage.
        wider, windows, most : sequence of int, length n or more
            Of each stage: channels inside of an MLP for one outside, edge of a window,
            and windows that each looks at.
        pyramid : int
            Channels of each level of the pyramid.
        **more
            Fields of `Layers`.
        """
        net, kind = drawing, Layers(**{"act": "relu", **more})
        x, found = net.image, []
        for stage, width in enumerate(features):
            with net.scope(f"encoder.{stage}"):
                with net.scope("down"):
                    x = kind.block(net, x, width, 3, strides[stage + 1], activate=False)
                how = windows[stage], most[stage]
                x = routing_layers(net, x, 1, *how, wider=wider[stage], head=HEAD)
                x = _gated(net, kind, x)
            found.append(x)
        x = _lateral(net, found[-1], pyramid, len(found) - 1)
        for stage in range(len(found) - 2, -1, -1):
            here = _lateral(net, found[stage], pyramid, stage)
            up = x if x.shape == here.shape else net.resize(x, here, "nearest")
            x = net.add(here, up)
        with net.scope("decoder.last"):
            x = kind.block(net, x, pyramid, 3)
        net.head(x, like=net.image, name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        options = {
            "dim": len(shapes.patch_size),
            "features": list(FEATURES),
            "strides": [list(s) for s in shapes.strides[: len(FEATURES) + 1]],
            **fixed,
        }
        stages = len(options["strides"]) - 1
        return {**options, "features": options["features"][:stages]}

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return most_strides(fixed, LISTS, 1)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        check_stages(options, LISTS, 1)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [8, 8],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "wider": [1, 2],
            "windows": [2, 1],
            "most": [1, 2],
            "pyramid": 8,
        }
        return options, (4,) + (8,) * (dim - 1)


def _gated(net: Drawing, layers: Layers, x: Tensor) -> Tensor:
    """Draw two convolutions whose channels and voxels are gated, beside a short cut."""
    with net.scope("gated"):
        with net.scope("conv1"):
            y = layers.block(net, x, x.channels, 3)
        with net.scope("conv2"):
            y = layers.block(net, y, x.channels, 3, activate=False)
        return layers.activate(net, net.add(cbam(net, y), x))


def _lateral(net: Drawing, x: Tensor, channels: int, stage: int) -> Tensor:
    return net.conv(x, channels, 3, name=f"decoder.lateral.{stage}")
