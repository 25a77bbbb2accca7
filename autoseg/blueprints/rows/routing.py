"""The parts of networks whose windows look at those that are most like them."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def check_lists(options: dict[str, Any] | Any, count: int, *names: str) -> None:
    """Raise PlanError unless some options have an entry for each stage."""
    for name in names:
        given: Sequence[int] | None = options.get(name)
        if given is not None and len(given) < count:
            raise PlanError(
                f"options of the network: {name} has {len(given)} entries; {count} "
                "stages need as many."
            )
