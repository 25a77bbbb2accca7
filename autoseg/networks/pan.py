"""PAN: a pyramid of attention at the bottom, and gates from there on the way up."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints.declaration import Shapes, option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

KERNELS = (7, 5, 3)  # of the pyramid, from the largest grid to the smallest


@NETWORKS.register
class PAN(Encoded):
    """One channel, seen on three ever coarser grids, says which voxel counts.

    As in segmentation_models.pytorch; branches that are pooled to one voxel are
    normalized over their channels.

    References
    ----------
    .. [1] Li et al., "Pyramid attention network for semantic segmentation", BMVC 2018.
       arXiv:1805.10180
    """

    strided = 4
    own = {"width": 32, "pools": []}
    tiny = {"width": 4, "narrow": 32}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw a decoder of ``width`` channels; ``pools`` are the pyramid's strides."""
        layers, width = replace(layers, bias=True), own["width"]
        with net.scope("pyramid"):
            x = _pyramid(net, layers, features[-1], width, own["pools"])
        for number in (4, 3, 2):
            with net.scope(f"gates.{number}"):
                x = _gated(net, layers, features[number], x, width)
        net.head(x, 3, like=net.image, mode="corners", name="head")

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        pools = option("pools", Sequence[Sequence[int]])
        return {**super().options(), "pools": pools}

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        options = super().plan(shapes, fixed)
        steps = cls.divisor(options)
        grid = [n // s for n, s in zip(shapes.patch_size, steps, strict=True)]
        pools = []
        for _ in KERNELS:
            pools.append([2 if n >= 2 else 1 for n in grid])
            grid = [n // s for n, s in zip(grid, pools[-1], strict=True)]
        return {"pools": pools, **options}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        pools = options["pools"]
        if len(pools) != len(KERNELS) or {*map(len, pools)} != {options["dim"]}:
            raise PlanError(
                f"options of the network: pools are {pools}; give {len(KERNELS)} "
                f"strides of {options['dim']} axes."
            )

    @classmethod
    def example_shape(cls, options: Mapping[str, Any]) -> tuple[int, ...]:
        pools = zip(*options["pools"], strict=True)
        return tuple(
            step * max(2, math.prod(axis))
            for step, axis in zip(cls.divisor(options), pools, strict=True)
        )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options, _ = super().example(dim)
        ones = [1] * dim
        return {**options, "pools": [[2] * dim, ones, ones]}, (8,) + (16,) * (dim - 1)


def _pyramid(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    width: int,
    pools: Sequence[Sequence[int]],
) -> Tensor:
    """Multiply features by what one channel sees from further and further away."""
    with net.scope("whole"):
        whole = layers.pooled.block(net, net.mean(x), width, 1)
    with net.scope("middle"):
        middle = layers.block(net, x, width, 1)
    grids = [x]
    for number, (stride, kernel) in enumerate(zip(pools, KERNELS, strict=True)):
        with net.scope(f"down.{number}"):
            pooled, _ = net.max_pool(grids[-1], stride)
            grids.append(layers.block(net, pooled, 1, kernel))
    with net.scope("across.2"):
        y = layers.block(net, grids[-1], 1, KERNELS[-1])
    for number in (1, 0):
        with net.scope(f"across.{number}"):
            across = layers.block(net, grids[number + 1], 1, KERNELS[number])
        y = net.add(across, net.resize(y, across, "corners"))
    gated = net.gate(middle, net.resize(y, middle, "corners"))
    return net.add(gated, net.resize(whole, gated, "corners"))


def _gated(
    net: Drawing, layers: Layers, skip: Tensor, below: Tensor, width: int
) -> Tensor:
    """Gate a skip by the averages of what is below, and add the two."""
    with net.scope("skip"):
        skip = layers.block(net, skip, width, 3)
    with net.scope("whole"):
        whole = layers.pooled.block(net, net.mean(below), width, 1, activate=False)
    gated = net.gate(skip, net.act(whole, "sigmoid"))
    same = below.shape == skip.shape
    return net.add(below if same else net.resize(below, skip, "corners"), gated)
