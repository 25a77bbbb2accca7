"""A training step of a network that is written in torch, from what was measured of it.

What autograd keeps is known (`autoseg.networks.measured`), and not when each tensor
goes. So everything is taken to be there at once, with a gradient of the largest tensor:
a little more than a step really needs, and never less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoseg.networks import NETWORKS
from autoseg.networks.measured import Measured, Unmeasurable, measure
from planners._family import Family
from planners.grids.topology import find_topology
from planners.memory.graph import Graph, Op
from planners.memory.walk import Walk
from planners.setting import LossCost, Setting

IMAGE, LARGEST = 0, 1  # numbers of tensors; the outputs follow
# Options that follow from the patch, and with them, what is measured.
FROM_PATCH = ("kernels", "strides", "patch", "features")


class MeasuredWalk(Walk):
    """Goes through a step whose kept bytes were measured.

    Parameters
    ----------
    found : Measured
        What the network needs.
    shape : sequence of int, length D
        The patch.
    in_channels : int
        Of the image.
    heads : sequence of LossCost
        The outputs.
    setting : Setting
        As it was measured.
    """

    def __init__(
        self,
        found: Measured,
        shape: Sequence[int],
        in_channels: int,
        heads: Sequence[LossCost],
        setting: Setting,
    ) -> None:
        self.found, self.shape = found, shape
        outputs = sum(head.channels for head in heads)
        super().__init__(_graph(found, shape, in_channels, outputs), heads, setting)

    def _end_of_forward(self) -> None:
        super()._end_of_forward()
        self.kept = self.found.at("saved", self.shape)
        self.kept += self.readings.kept(self.graph, self.levels)
        self.copies = self.found.fixed


def measured_walk(
    network: str,
    options: Mapping[str, Any],
    shape: Sequence[int],
    *,
    in_channels: int,
    heads: Sequence[LossCost],
    setting: Setting,
) -> MeasuredWalk:
    """Return a step of a network on patches of a shape; see `MeasuredWalk`.

    Raises
    ------
    PlanError
        If it cannot be measured.
    """
    found = measure(
        network,
        options,
        len(shape),
        in_channels=in_channels,
        outputs=sum(head.channels for head in heads),
        precision=setting.precision,
        deep=setting.deep_supervision,
        shape=shape if one_shape(network, options) else None,
    )
    return MeasuredWalk(found, shape, in_channels, heads, setting)


def looked_at(
    family: Family,
    dim: int,
    in_channels: int,
    heads: Sequence[LossCost],
    setting: Setting,
) -> Family:
    """Return a family of another network with what it can divide, or why not.

    Parameters
    ----------
    family : Family
        Its ``other`` is written in torch.
    dim : int
        Number of spatial axes.
    in_channels, heads, setting
        As in `measured_walk`.

    Raises
    ------
    PlanError
        If the network takes no image that was tried.
    """
    name = str(family.other)
    if not is_module(name):
        return replace(family, unknown="it is no module of torch that could be run")
    options = family.choice(find_topology((1.0,) * dim, (64,) * dim)).options
    if one_shape(name, options):
        return family
    try:
        found = measure(
            name,
            options,
            dim,
            in_channels=in_channels,
            outputs=sum(head.channels for head in heads),
            precision=setting.precision,
            deep=setting.deep_supervision,
        )
    except Unmeasurable as error:
        return replace(family, unknown=str(error))
    return replace(family, divisors=found.divisor, least=found.least)


def is_module(network: str) -> bool:
    """Return whether a network is a class of torch's modules, which can be run."""
    kind: Any = NETWORKS[network]
    return isinstance(kind, type) and callable(getattr(kind, "forward", None))


def one_shape(network: str, options: Mapping[str, Any]) -> bool:
    """Return whether a network is another one on each patch, and measured on each."""
    fixed = bool(getattr(NETWORKS[network], "fixed_shape", False))
    return fixed or any(name in options for name in FROM_PATCH)


def _graph(
    found: Measured, shape: Sequence[int], in_channels: int, outputs: int
) -> Graph:
    voxels = math.prod(shape)
    levels = range(LARGEST + 1, LARGEST + 1 + len(found.levels))
    body = Op(
        kind="measured",
        inputs=(IMAGE,),
        output=LARGEST,
        parameters=found.parameters,
        multiply_adds=round(found.at("multiply_adds", shape)),
    )
    heads = [Op(kind="head", inputs=(LARGEST,), output=level) for level in levels]
    return Graph(
        dim=len(shape),
        channels=[in_channels, 1, *(outputs for _ in levels)],
        voxels=[
            voxels,
            round(found.at("largest", shape)),
            *(round(part * voxels) for part in found.levels),
        ],
        ops=[body, *heads],
        logits=list(levels),
        full=len(found.levels) > 1 and len(set(found.levels)) == 1,
    )
