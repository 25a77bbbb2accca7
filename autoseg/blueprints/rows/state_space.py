"""The parts of networks with state spaces: a recurrence along rows of tokens."""

from __future__ import annotations

import math

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.rows.transformers import EPS

STATES = 16  # numbers of a channel's state
WIDER = 2  # channels inside for one outside
BEFORE = 4  # tokens that the convolution along a row sees


def mamba(net: Drawing, x: Tensor) -> Tensor:
    """Draw a selective state space beside a gate [1]_.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x : Tensor
        Tokens in a row, each of which hears of those before.

    References
    ----------
    .. [1] Gu & Dao, "Mamba: linear-time sequence modeling with selective state spaces",
       COLM 2024. arXiv:2312.00752
    """
    wide, rank = WIDER * x.channels, math.ceil(x.channels / 16)
    opened = net.act(net.linear(x, wide, bias=False, name="gate"), "silu")
    y = net.causal(net.linear(x, wide, bias=False, name="enter"), BEFORE, name="before")
    y = net.act(y, "silu")
    steps = net.steps(net.linear(y, rank, bias=False, name="rank"), wide, name="steps")
    given = net.linear(y, STATES, bias=False, name="give")
    taken = net.linear(y, STATES, bias=False, name="take")
    y = net.gate(net.scan(y, steps, given, taken, name="scan"), opened)
    return net.linear(y, x.channels, bias=False, name="leave")


def mamba_of_grid(net: Drawing, x: Tensor) -> Tensor:
    """Draw a normalized state space along the voxels of a grid, in its place."""
    y = net.norm(net.tokens(x), "layer", eps=EPS, name="norm")
    return net.grid(mamba(net, y), x)


def scanned(net: Drawing, x: Tensor, channels: int, parts: int = 1) -> Tensor:
    """Draw a state space along the voxels of a grid beside a short cut, then a matrix.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x : Tensor
        Features on the grid.
    channels : int
        Of the result.
    parts : int
        Channels are cut into so many parts, which have one state space in common: its
        weights are there once [1]_.

    References
    ----------
    .. [1] Wu et al., "UltraLight VM-UNet: parallel vision Mamba significantly reduces
       parameters for skin lesion segmentation", 2024. arXiv:2403.20035
    """
    row = net.tokens(x)
    y = net.norm(row, "layer", eps=EPS, name="norm")
    # The short cut starts at the features, of parts at what is normalized: their
    # authors differ.
    cut = net.apart(y, parts) if parts > 1 else y
    short = cut if parts > 1 else row
    y = net.add(mamba(net, cut), net.scale(short, start=1.0, alike=True, name="short"))
    y = net.together(y, parts) if parts > 1 else y
    with net.again():
        y = net.norm(y, "layer", eps=EPS, name="norm")
    return net.grid(net.linear(y, channels, name="project"), x)
