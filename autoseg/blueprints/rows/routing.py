"""The parts of networks whose windows look at those that are most like them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.rows.transformers import mlp
from autoseg.errors import PlanError

EPS = 1e-6
HEAD = 8  # channels of a head, where they can be cut so


def routing_layers(
    net: Drawing,
    x: Tensor,
    count: int,
    window: int,
    most: int,
    *,
    wider: int = 4,
    head: int = HEAD,
) -> Tensor:
    """Draw layers of routed attention and MLPs on a grid, each beside a short cut.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x : Tensor
        Features on the grid.
    count : int
        Layers.
    window : int
        Edge of a window.
    most : int
        How many windows each one looks at.
    wider : int
        Channels inside of an MLP for one outside.
    head : int
        Channels of a head of attention.
    """
    for number in range(count):
        with net.scope(str(number)):
            near = net.conv(x, x.channels, 3, groups=x.channels, name="near")
            x = net.add(x, near)
            row = net.tokens(x)
            y = net.norm(row, "layer", eps=EPS, name="norm1")
            row = net.add(row, _routed(net, y, x, window, most, head))
            y = net.norm(row, "layer", eps=EPS, name="norm2")
            x = net.grid(net.add(row, mlp(net, y, wider * x.channels)), x)
    return x


def _routed(
    net: Drawing, x: Tensor, grid: Tensor, window: int, most: int, head: int
) -> Tensor:
    """Draw attention between windows, and a convolution of what is looked at."""
    channels, where = x.channels, (grid, window, False)
    y = net.windows(x, *where)
    asked = net.linear(y, 2 * channels, name="ask")
    value = net.linear(y, channels, name="value")
    heads = channels // math.gcd(head, channels)
    y = net.unwindows(net.routed(asked, value, grid, window, most, heads), *where)
    local = net.grid(net.unwindows(value, *where), grid)
    local = net.conv(local, channels, 5, groups=channels, name="local")
    return net.linear(net.add(y, net.tokens(local)), channels, name="project")


def check_stages(
    options: Mapping[str, Any],
    lists: Mapping[str, Sequence[int]],
    steps: int,
) -> None:
    """Raise PlanError unless options have an entry for each stage.

    Parameters
    ----------
    options : mapping of str to JSON value
        With ``features``, one for each stage, and ``strides``.
    lists : mapping of str to sequence of int
        Others that have an entry for each stage, with their defaults.
    steps : int
        How many more strides than stages there are.
    """
    stages = len(options["features"])
    if len(options["strides"]) != stages + steps or not stages:
        more = {1: "one stride", 2: "two strides"}[steps]
        raise PlanError(
            f"options of the network: features has {stages} entries and strides "
            f"{len(options['strides'])}; give {more} more than features."
        )
    for name, usual in lists.items():
        given = options.get(name) or usual
        if len(given) < stages:
            raise PlanError(
                f"options of the network: {name} has {len(given)} entries; {stages} "
                "stages need as many."
            )


def most_strides(
    fixed: Mapping[str, Any], lists: Mapping[str, Sequence[int]], steps: int
) -> int | None:
    """Return how many strides lists that are fixed have entries for; None: any.

    Parameters
    ----------
    fixed : mapping of str to JSON value
        Options that are given.
    lists, steps
        See `check_stages`.
    """
    lengths = [len(fixed[name]) for name in ("features", *lists) if name in fixed]
    return min(lengths) + steps if lengths else None
