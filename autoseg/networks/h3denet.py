"""H3DE-Net: routed attention at a quarter of the resolution, and a U-Net's way up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.routing import (
    EPS,
    check_stages,
    most_strides,
    routing_layers,
)
from autoseg.blueprints.rows.transformers import attention_recipe
from autoseg.networks import NETWORKS

FEATURES = (64, 128, 256, 512)
DEPTHS = (2, 2, 4, 2)
WINDOWS = (8, 4, 2, 2)
MOST = (1, 4, 16, 16)
LISTS = {"depths": DEPTHS, "windows": WINDOWS, "most": MOST}
FINEST = 16


@NETWORKS.register
class H3DENet(Declaration):
    """Windows look at the windows most like them; two skips are made of the image.

    Its authors made it for landmarks in volumes, with as many windows at each
    resolution; here a window has so many voxels, so that images of all sizes are seen.

    References
    ----------
    .. [1] Huang et al., "H3DE-Net: efficient and accurate 3D landmark detection in
       medical imaging", 2025. arXiv:2502.14221
    """

    recipe = attention_recipe("its authors use AdamW")

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        strides: Sequence[Sequence[int]],
        depths: Sequence[int] = DEPTHS,
        windows: Sequence[int] = WINDOWS,
        most: Sequence[int] = MOST,
        finest: int = FINEST,
        affine: bool = False,
    ) -> None:
        """Draw stem, stages, levels and head.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each stage.
        strides : sequence of sequence of int, shape (n + 2, D)
            Of the image, which is all 1, of two convolutions in front of the first
            stage, and of each stage behind it.
        depths, windows, most : sequence of int, length n or more
            Layers of each stage, edge of a window, and windows that each looks at.
        finest : int
            Channels of the finest level.
        affine : bool
            Norms of convolutions learn a scale and a shift.
        """
        net, kind = drawing, Layers(bias=False, affine=affine)
        image, half = net.image, max(1, features[0] // 2)
        with net.scope("skips.0"):
            skips = [kind.block(net, image, finest, 3)]
        with net.scope("skips.1"):
            small = net.avg_pool(image, strides[1])
            skips.append(kind.block(net, small, half, 3))
        x = image
        for stage, width in enumerate(features):
            with net.scope(f"encoder.{stage}"):
                if not stage:
                    x = _strided(net, x, half, strides[1], affine, "stem")
                    x = net.act(x, "gelu")
                x = _strided(net, x, width, strides[stage + 2], affine, "down")
                x = routing_layers(net, x, depths[stage], windows[stage], most[stage])
                y = net.norm(net.tokens(x), "layer", eps=EPS, name="norm")
                x = net.grid(y, x)
            skips.append(x)
        for level, skip in enumerate(skips[-2::-1]):
            with net.scope(f"decoder.{level}"):
                x = net.cat(net.resize(x, skip) if x.shape != skip.shape else x, skip)
                for number in range(2):
                    with net.scope(f"convs.{number}"):
                        x = kind.block(net, x, skip.channels, 3)
        net.head(x, name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        dim = len(shapes.patch_size)
        strides = [list(stride) for stride in shapes.strides[: len(FEATURES) + 2]]
        strides += [[1] * dim] * (3 - len(strides))  # of a patch that is hardly halved
        options = {
            "dim": dim,
            "features": list(FEATURES),
            "strides": strides,
            "affine": True,
            **fixed,
        }
        return {**options, "features": options["features"][: len(strides) - 2]}

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        return most_strides(fixed, LISTS, 2)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        check_stages(options, LISTS, 2)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [8, 8],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim, [1] * dim],
            "depths": [1, 1],
            "windows": [2, 1],
            "most": [1, 2],
            "finest": 4,
            "affine": True,
        }
        return options, (4,) + (8,) * (dim - 1)


def _strided(
    net: Drawing,
    x: Tensor,
    channels: int,
    stride: Sequence[int],
    affine: bool,
    name: str,
) -> Tensor:
    x = net.conv(x, channels, 3, stride, name=name)
    return net.norm(x, affine=affine, name=f"{name}_norm")
