"""U2-Net: a U-Net whose stages are U-Nets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

LISTS = ("kernels", "strides", "inside")
DILATIONS: tuple[int, ...] = (1, 2, 4, 8)  # where there is nothing left to pool
WIDTH, INSIDE = 64, 16  # of the light network


@NETWORKS.register
class U2Net(Declaration):
    """Each stage halves its features as far as the whole network does, and back.

    Where that is less than twice, it dilates instead. Each level says what it sees, and
    one more output is made of all that. All have the image's resolution, and count the
    same. The light network of its authors is planned by default.

    References
    ----------
    .. [1] Qin et al., "U2-Net: going deeper with nested U-structure for salient object
       detection", Pattern Recognition 106, 2020. arXiv:2005.09007
    """

    supervision = "full"

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        inside: Sequence[int],
        features_decoder: Sequence[int],
        inside_decoder: Sequence[int],
        **layers: Any,
    ) -> None:
        """Draw both ways, and a head for each level and for all of them.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features, inside : sequence of int, length n
            Channels of each stage, and inside of it, finest first.
        kernels, strides : sequence of sequence of int, shape (n, D)
            Of each stage; the first stride is all 1.
        features_decoder, inside_decoder : sequence of int, length n - 1
            The same of the decoder's levels, deepest first.
        **layers
            Fields of `Layers`.
        """
        net, kind = drawing, Layers(**layers)
        x, skips = net.image, []
        for number, width in enumerate(features):
            if number:
                x, _ = net.max_pool(x, strides[number])
            with net.scope(f"encoder.stages.{number}"):
                further = strides[number + 1 :]
                x = _nested(
                    net, kind, x, inside[number], width, kernels[number], further
                )
            skips.append(x)
        levels = [x]
        for level, width in enumerate(features_decoder):
            stage = len(features) - 2 - level
            joined = net.cat(net.resize(x, skips[stage]), skips[stage])
            with net.scope(f"decoder.stages.{level}"):
                within, further = inside_decoder[level], strides[stage + 1 :]
                x = _nested(net, kind, joined, within, width, kernels[stage], further)
            levels.append(x)
        said = []
        for number, x in enumerate(levels):
            name = f"decoder.seg_layers.{number}"
            kernel = kernels[len(features) - 1 - number]
            said.append(net.head(x, kernel, like=net.image, name=name))
        net.head(net.cat(*said[::-1]), name=f"decoder.seg_layers.{len(levels)}")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides)
        options = {
            "dim": len(shapes.patch_size),
            "features": [WIDTH] * stages,
            "kernels": list(map(list, shapes.kernels)),
            "strides": list(map(list, shapes.strides)),
            "inside": [INSIDE] * stages,
            "features_decoder": [WIDTH] * (stages - 1),
            "inside_decoder": [INSIDE] * (stages - 1),
        }
        return {**options, **fixed}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        stages = len(options["features"])
        wanted = {name: stages for name in LISTS}
        wanted |= {"features_decoder": stages - 1, "inside_decoder": stages - 1}
        for name, count in wanted.items():
            if len(options[name]) != count:
                raise PlanError(
                    f"options of the network: {name} has {len(options[name])} entries; "
                    f"with {stages} stages it must have {count}."
                )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options = {
            "dim": dim,
            "features": [4, 4, 4],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim, [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "inside": [3, 3, 4],
            "features_decoder": [4, 4],
            "inside_decoder": [3, 3],
        }
        return options, (4,) + (8,) * (dim - 1)


def _nested(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    inside: int,
    channels: int,
    kernel: Sequence[int],
    strides: Sequence[Sequence[int]],
) -> Tensor:
    """Draw one stage: a U-Net with these strides, around which is a short cut."""
    with net.scope("in"):
        first = layers.block(net, x, channels, kernel)
    if len(strides) < 2:  # too few to halve: the resolution stays, and dilations grow
        strides, dilations = [(1,) * net.dim] * (len(DILATIONS) - 2), DILATIONS
    else:
        dilations = (1,) * (len(strides) + 1) + (2,)
    y, skips = first, []
    for number, dilation in enumerate(dilations):
        if 0 < number <= len(strides) and max(strides[number - 1]) > 1:
            y, _ = net.max_pool(y, strides[number - 1])
        with net.scope(f"down.{number}"):
            y = layers.block(net, y, inside, kernel, dilation=dilation)
        skips.append(y)
    for number in range(len(skips) - 2, -1, -1):
        skip = skips[number]
        y = y if y.shape == skip.shape else net.resize(y, skip)
        with net.scope(f"up.{number}"):
            width, dilation = inside if number else channels, dilations[number]
            y = layers.block(net, net.cat(y, skip), width, kernel, dilation=dilation)
    return net.add(y, first)
