"""The parts of transformers: layers of attention on rows of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.errors import PlanError
from autoseg.spec.settings.recipes import OwnRecipe

EPS = 1e-5
# Layers and heads of each stage in Swin-Unet and Swin UNETR, which cite them.
DEPTHS = (2, 2, 2, 2)
ATTENTION = (3, 6, 12, 24)


def attention_recipe(because: str, **changes: Any) -> OwnRecipe:
    """Return how a network with attention is trained.

    Its gradients have heavy tails, so they are clipped, and no SGD learns from
    them [1]_.

    Parameters
    ----------
    because : str
        What is known of this one.
    **changes
        Numbers of the recipe ``adamw`` that are others.

    References
    ----------
    .. [1] Zhang et al., "Why are adaptive methods good for attention models?", NeurIPS
       2020. arXiv:1912.03194
    """
    why = "attention diverges at the rates of convolutions, and its gradients have"
    return OwnRecipe(
        base="adamw", changes=changes, because=f"{why} heavy tails; {because}"
    )


def mlp(net: Drawing, x: Tensor, wide: int) -> Tensor:
    """Draw a layer of more channels and one back."""
    y = net.act(net.linear(x, wide, name="mlp1"), "gelu")
    return net.linear(y, x.channels, name="mlp2")


def layer(
    net: Drawing, x: Tensor, wide: int, heads: int, *, bias: bool, eps: float = EPS
) -> Tensor:
    """Draw attention between all tokens, and an MLP, each beside a short cut.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x : Tensor
        Tokens.
    wide, heads : int
        Channels inside of the MLP, and heads of the attention.
    bias : bool
        Queries, keys and values have a bias.
    eps : float
        Of the norms.
    """
    y = net.norm(x, "layer", eps=eps, name="norm1")
    y = net.attention(net.linear(y, 3 * x.channels, bias=bias, name="qkv"), heads)
    x = net.add(x, net.linear(y, x.channels, name="project"))
    return net.add(x, mlp(net, net.norm(x, "layer", eps=eps, name="norm2"), wide))


def swin_layers(
    net: Drawing, x: Tensor, grid: Tensor, count: int, heads: int, window: int
) -> Tensor:
    """Draw layers of attention inside of windows, every second time shifted ones [1]_.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x, grid : Tensor
        Tokens, and a tensor on their grid.
    count : int
        Layers.
    heads, window : int
        Of the attention, and edge of a window.

    References
    ----------
    .. [1] Liu et al., "Swin transformer: hierarchical vision transformer using shifted
       windows", ICCV 2021. arXiv:2103.14030
    """
    for number in range(count):
        where = grid, window, number % 2 == 1
        with net.scope(str(number)):
            y = net.windows(net.norm(x, "layer", eps=EPS, name="norm1"), *where)
            y = net.linear(y, 3 * x.channels, name="qkv")
            y = net.window_attention(y, *where, heads, name="offsets")
            y = net.linear(y, x.channels, name="project")
            x = net.add(x, net.unwindows(y, *where))
            y = net.norm(x, "layer", eps=EPS, name="norm2")
            x = net.add(x, mlp(net, y, 4 * x.channels))
    return x


def merged(
    net: Drawing, x: Tensor, grid: Tensor, stride: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Draw a coarser grid of twice the channels.

    Returns
    -------
    tokens, grid : Tensor
        Made of the blocks of finer ones, and a tensor on their grid.
    """
    channels, grid = 2 * x.channels, net.merge(net.grid(x, grid), stride)
    x = net.norm(net.tokens(grid), "layer", eps=EPS, name="norm")
    return net.linear(x, channels, bias=False, name="reduce"), grid


def stages_at_most(fixed: Mapping[str, Any]) -> int:
    """Return how many resolutions options of windowed attention are enough for."""
    lists = fixed.get("depths", DEPTHS), fixed.get("attention", ATTENTION)
    return min(map(len, lists)) + 2


def check_stages(options: Mapping[str, Any], stages: int) -> None:
    """Raise PlanError unless each stage has its layers and heads, and there is one."""
    for name, default in (("depths", DEPTHS), ("attention", ATTENTION)):
        given = options.get(name, default)
        if len(given) < stages or stages < 1:
            raise PlanError(
                f"options of the network: {name} has {len(given)} entries; with "
                f"{stages} stages it must have as many, and at least 1."
            )
