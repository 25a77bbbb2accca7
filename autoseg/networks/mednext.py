"""MedNeXt: ConvNeXt blocks in a U-Net, also for the ways down and up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS
from autoseg.spec.settings.recipes import OwnRecipe

# Blocks and expansion of the five stages of the encoder; the decoder mirrors them.
SIZES = {
    "S": ((2, 2, 2, 2, 2), (2, 2, 2, 2, 2)),
    "B": ((2, 2, 2, 2, 2), (2, 3, 4, 4, 4)),
    "M": ((3, 4, 4, 4, 4), (2, 3, 4, 4, 4)),
    "L": ((3, 4, 8, 8, 8), (3, 4, 8, 8, 8)),
}
WIDTH = 32


@NETWORKS.register
class MedNeXt(Declaration):
    """Depthwise convolution, norm of each channel, expansion, GELU, projection.

    Skips are added. `SIZES` has the blocks and expansions of its authors; the smallest
    is planned by default.

    References
    ----------
    .. [1] Roy et al., "MedNeXt: transformer-driven scaling of ConvNets for medical
       image segmentation", MICCAI 2023. arXiv:2303.09975
    .. [2] Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR
       2020. arXiv:1908.03265
    """

    # Rate and decay of [1]; its reference has neither warm-up nor clip. Both are here
    # because in AdamW's first steps the second moments stand on few gradients [2].
    recipe = OwnRecipe(
        base="adamw",
        changes={
            "learning_rate": 1e-3,
            "second_momentum": 0.999,
            "weight_decay": 3e-5,
        },
        because="depthwise layers get small gradients, which one rate of SGD for all "
        "layers does not serve; its authors train with AdamW at 0.001",
    )

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        blocks: Sequence[int],
        expansions: Sequence[int],
    ) -> None:
        """Draw encoder, bottleneck and decoder.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each stage, finest first.
        kernels, strides : sequence of sequence of int, shape (n, D)
            Of each stage.
        blocks, expansions : sequence of int, length 2 n - 1
            Blocks of each stage, down and up again, and how many times wider their
            inside is.
        """
        net, last = drawing, len(features) - 1
        x = net.conv(net.image, features[0], 1, name="stem")
        skips = []
        for stage, width in enumerate(features):
            kernel, wider = kernels[stage], expansions[stage]
            if stage:
                with net.scope(f"down.{stage - 1}"):
                    x = _down(net, x, width, kernel, strides[stage], wider)
            with net.scope(f"encoder.{stage}"):
                x = _blocks(net, x, kernel, wider, blocks[stage])
            skips.append(x)
        net.head(x, name=f"heads_of_levels.{last}")
        for stage in range(last - 1, -1, -1):
            kernel, place = kernels[stage], 2 * last - stage
            wider, stride = expansions[place], strides[stage + 1]
            with net.scope(f"up.{stage}"):
                x = _up(net, x, features[stage], kernel, stride, wider)
            x = net.add(skips[stage], x)
            with net.scope(f"decoder.{stage}"):
                x = _blocks(net, x, kernel, wider, blocks[place])
            net.head(x, name=f"heads_of_levels.{stage}")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides)
        blocks, expansions = (mirrored(row, stages) for row in SIZES["S"])
        options = {
            "dim": len(shapes.patch_size),
            "features": [WIDTH * 2**stage for stage in range(stages)],
            "kernels": list(map(list, shapes.kernels)),
            "strides": list(map(list, shapes.strides)),
            "blocks": blocks,
            "expansions": expansions,
        }
        return {**options, **fixed, **_cut(fixed, stages)}

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        lengths = [len(fixed["features"])] if "features" in fixed else []
        rows = (fixed[key] for key in ("blocks", "expansions") if key in fixed)
        return min([*lengths, *((len(row) + 1) // 2 for row in rows)], default=None)

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        stages = len(options["features"])
        for name in ("blocks", "expansions"):
            if len(options[name]) != 2 * stages - 1:
                raise PlanError(
                    f"options of the network: {name} has {len(options[name])} entries; "
                    f"with {stages} stages it must have {2 * stages - 1}, down and up."
                )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [4, 8, 8],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim, [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "blocks": [1, 2, 1, 2, 1],
            "expansions": [2, 3, 2, 3, 2],
        }
        return options, (4,) + (8,) * (dim - 1)


def _cut(fixed: Mapping[str, Any], stages: int) -> dict[str, Any]:
    """Return widths that the user set, as many as a patch has stages."""
    return {key: list(fixed[key])[:stages] for key in ("features",) if key in fixed}


def mirrored(row: Sequence[int], stages: int) -> list[int]:
    """Return numbers of an encoder's stages, the last one repeated, down and up.

    Examples
    --------
    >>> mirrored((3, 4, 8, 8, 8), 3)
    [3, 4, 8, 4, 3]
    >>> mirrored((1, 2), 4)
    [1, 2, 2, 2, 2, 2, 1]
    """
    down = [row[min(stage, len(row) - 1)] for stage in range(stages)]
    return [*down, *down[-2::-1]]


def _inside(net: Drawing, x: Tensor, channels: int, expansion: int) -> Tensor:
    """Normalize each channel, and mix channels by way of more of them."""
    wide = x.channels * expansion
    x = net.norm(x, "group", groups=x.channels, name="norm")
    x = net.act(net.conv(x, wide, 1, name="conv2"), "gelu")
    return net.conv(x, channels, 1, name="conv3")


def _blocks(
    net: Drawing, x: Tensor, kernel: Sequence[int], expansion: int, count: int
) -> Tensor:
    for number in range(count):
        with net.scope(str(number)):
            y = net.conv(x, x.channels, kernel, groups=x.channels, name="conv1")
            x = net.add(x, _inside(net, y, x.channels, expansion))
    return x


def _down(
    net: Drawing,
    x: Tensor,
    channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    expansion: int,
) -> Tensor:
    y = net.conv(x, x.channels, kernel, stride, groups=x.channels, name="conv1")
    y = _inside(net, y, channels, expansion)
    return net.add(y, net.conv(x, channels, 1, stride, name="shortcut"))


def _up(
    net: Drawing,
    x: Tensor,
    channels: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    expansion: int,
) -> Tensor:
    y = net.deconv(x, x.channels, stride, kernel, groups=x.channels, name="conv1")
    y = _inside(net, y, channels, expansion)
    ones = (1,) * net.dim
    return net.add(y, net.deconv(x, channels, stride, ones, name="shortcut"))
