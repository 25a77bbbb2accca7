"""Dense U-Net: each layer of a block is given what all before it made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

GROWTH, WIDER = 16, 4
LAYERS = (4, 6, 8, 8)


@NETWORKS.register
class DenseUNet(Declaration):
    """A DenseNet encoder, and a decoder to which skips are added.

    As the 2-D part of H-DenseUNet, which has ``blocks`` of 6, 12, 36 and 24, a
    ``growth`` of 48 and a ``stem`` of 96: a stem that halves twice, blocks with
    transitions that halve, convolutions on the way up.

    References
    ----------
    .. [1] Li et al., "H-DenseUNet: hybrid densely connected UNet for liver and tumor
       segmentation from CT volumes", IEEE TMI 37, 2018. arXiv:1709.07330
    .. [2] Huang et al., "Densely connected convolutional networks", CVPR 2017.
       arXiv:1608.06993
    """

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        strides: Sequence[Sequence[int]],
        blocks: Sequence[int],
        growth: int = GROWTH,
        stem: int = 2 * GROWTH,
        last: int = 64,
        **options: Any,
    ) -> None:
        """Draw both ways.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of the stem, its pool, and the transitions.
        blocks : sequence of int, length n
            Layers of each block.
        growth : int
            Channels that each layer adds.
        stem, last : int
            Channels of the first features, and of the last.
        **options
            Fields of `Layers`.
        """
        net, layers = drawing, Layers(**options)
        first = replace(layers, bias=False)
        x = net.conv(
            net.image, stem, 7, strides[0], bias=False, name="encoder.stem.conv"
        )
        x = first.activate(net, first.normalize(net, x, "encoder.stem.norm"))
        skips = [x]
        x, _ = net.max_pool(x, strides[1], 3)
        for number, count in enumerate(blocks):
            with net.scope(f"encoder.blocks.{number}"):
                x = _dense(net, first, x, count, growth)
            if number == len(blocks) - 1:
                with net.scope("encoder.last"):
                    x = first.activate(net, first.normalize(net, x))
                break
            skips.append(x)
            with net.scope(f"encoder.transitions.{number}"):
                x = _preceded(net, first, x, x.channels // 2, 1)
                if max(strides[number + 2]) > 1:
                    x = net.avg_pool(x, strides[number + 2])
        widths = [skip.channels for skip in skips[-2::-1]]
        for number, skip in enumerate(skips[::-1]):
            large = net.resize(x, skip, "nearest")
            if number == 0:  # the only skip whose channels are fewer than those below
                skip = net.conv(skip, large.channels, 1, name="decoder.skip")
            width = [*widths, stem][number]
            with net.scope(f"decoder.levels.{number}"):
                x = layers.block(net, net.add(large, skip), width, 3)
        with net.scope("decoder.last"):
            x = layers.block(net, net.resize(x, net.image, "nearest"), last, 3)
        net.head(x, name="decoder.head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        dim = len(shapes.patch_size)
        halved = [list(stride) for stride in shapes.strides[1:]][: len(LAYERS) + 1]
        count = max(1, len(halved) - 1)
        options = {
            "dim": dim,
            "strides": halved + [[1] * dim] * (count + 1 - len(halved)),
            "blocks": list(LAYERS[:count]),
        }
        return {**options, **fixed}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        count = len(options["blocks"])
        if not count or len(options["strides"]) != count + 1:
            raise PlanError(
                f"options of the network: blocks has {count} entries and strides "
                f"{len(options['strides'])}; give one stride more than blocks."
            )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "strides": [[1] + [2] * (dim - 1), [2] * dim, [1] * dim],
            "blocks": [2, 2],
            "growth": 2,
            "stem": 4,
            "last": 4,
        }
        return options, (4,) + (8,) * (dim - 1)


def _preceded(
    net: Drawing, layers: Layers, x: Tensor, channels: int, kernel: int
) -> Tensor:
    """Normalize, activate, convolve."""
    x = layers.activate(net, layers.normalize(net, x))
    return net.conv(x, channels, kernel, bias=False, name="conv")


def _dense(net: Drawing, layers: Layers, x: Tensor, count: int, growth: int) -> Tensor:
    for number in range(count):
        with net.scope(f"{number}.narrow"):
            y = _preceded(net, layers, x, WIDER * growth, 1)
        with net.scope(f"{number}.grow"):
            y = _preceded(net, layers, y, growth, 3)
        x = net.cat(x, y)
    return x
