"""Primus: a transformer on tokens of eight voxels, and no skips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Act, Layers, Residual, Stage
from autoseg.blueprints.rows.transformers import EPS, attention_recipe
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS

HALVINGS = 3  # a token is the patch's part that so many halvings make one voxel
# Layers, heads and channels of a token.
SIZES = {"S": (12, 6, 396), "B": (12, 12, 792), "M": (16, 12, 864), "L": (24, 16, 1056)}
# Channels of the convolutions in front of the transformer, from the finest on.
BEFORE = {2: (32, 32, 64, 128), 3: (32, 64, 256, 1024)}
WIDER = (
    8 / 3
)  # inside of a gated MLP, as many numbers as of a plain one four times as wide
FAINT = 1e-5


@NETWORKS.register
class Primus(Declaration):
    """Layers of attention with rotated queries and keys, and gated MLPs.

    Its versions differ in what makes tokens: one convolution (1), residual blocks that
    halve (2), the same wider, with what they give brought to tokens as well (3). Sizes
    S, B, M and L of its authors are in `SIZES`; the third version in size S is planned
    by default.

    References
    ----------
    .. [1] Wald et al., "Primus: enforcing attention usage for 3D medical image
       segmentation", 2025. arXiv:2503.01835
    """

    recipe = attention_recipe(
        "its authors train with AdamW at 0.0003, a warm-up and decay of 0.05"
    )
    fixed_shape = True

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        patch: Sequence[int],
        strides: Sequence[Sequence[int]],
        hidden: int = 396,
        attention: int = 6,
        layers: int = 12,
        version: Literal[1, 2, 3] = 3,
        before: Sequence[int] = (),
    ) -> None:
        """Draw what makes tokens, the transformer, and the way back.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        patch : sequence of int, length D
            The shape of all images.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of each resolution; the first is all 1. Their product is a token's size.
        hidden, attention, layers : int
            Channels of a token, heads, and layers.
        version : int
            1 to 3.
        before : sequence of int, length n + 1
            Channels of the convolutions that make tokens; by default `BEFORE`.
        """
        net = drawing
        grid = _embedded(
            net, hidden, strides, version, before or BEFORE.get(version, ())
        )
        x = net.position(net.tokens(grid), name="position")
        for number in range(layers):
            with net.scope(f"layers.{number}"):
                x = _layer(net, x, grid, attention)
        x = net.grid(net.norm(x, "layer", eps=EPS, name="norm"), grid)
        steps = len(strides) - 1
        for number, stride in enumerate(strides[:1:-1], 1):
            width = hidden * (2 * net.outputs / hidden) ** (number / steps)
            with net.scope(f"decoder.{number - 1}"):
                x = net.deconv(x, _round_to_8(width), stride, name="up")
                x = net.act(net.norm(x, "channel", eps=1e-6, name="norm"), "gelu")
        net.enlarging_head(x, strides[1], name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        options = {
            "dim": len(shapes.patch_size),
            "patch": list(shapes.patch_size),
            "strides": [list(stride) for stride in shapes.strides[: HALVINGS + 1]],
            **fixed,
        }
        if "before" in fixed:
            options["before"] = fixed["before"][: len(options["strides"])]
        heads = options.get("attention", SIZES["S"][1])
        if "hidden" not in fixed:
            # Each head has pairs of channels for all axes.
            unit = heads * 2 * options["dim"]
            options["hidden"] = round(SIZES["S"][2] / unit) * unit
        return options

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        before = options.get("before") or BEFORE[3][: len(options["strides"])]
        if len(before) != len(options["strides"]) or len(before) < 2:
            raise PlanError(
                f"options of the network: before has {len(before)} entries and strides "
                f"{len(options['strides'])}; give channels for each, and at least 2."
            )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        patch = (4,) + (8,) * (dim - 1)
        options = {
            "dim": dim,
            "patch": list(patch),
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "hidden": 4 * dim,
            "attention": 2,
            "layers": 1,
            "before": [2, 2, 4],
        }
        return options, patch


def _embedded(
    net: Drawing,
    hidden: int,
    strides: Sequence[Sequence[int]],
    version: int,
    before: Sequence[int],
) -> Tensor:
    """Draw what makes the tokens of an image, on their grid."""
    sizes = list(
        accumulate(
            strides[::-1], lambda a, b: [n * m for n, m in zip(a, b, strict=True)]
        )
    )[::-1]
    if version == 1:
        return net.conv(net.image, hidden, sizes[0], sizes[0], name="embed")
    act: Act = "relu" if version == 2 else "leaky"
    layers, x, more = Layers(act=act, bias=False), net.image, []
    for number, (width, stride) in enumerate(zip(before, strides, strict=False)):
        stage = Stage(channels=width, kernel=(3,) * net.dim, stride=stride, count=1)
        kind = layers if number else Layers(act=act)
        with net.scope(f"before.{number}"):
            x = Residual().draw(net, kind, x, stage)
        if version == 3 and number + 1 < len(strides):
            size = sizes[number + 1]
            with net.scope(f"skips.{number}"):
                faint = net.conv(x, hidden, size, size, name="embed")
                more.append(net.scale(faint, start=FAINT, alike=True, name="scale"))
    x = net.conv(x, hidden, 1, name="embed")
    return net.add(x, net.add(*more)) if more else x


def _layer(net: Drawing, x: Tensor, grid: Tensor, heads: int) -> Tensor:
    """Draw one layer of EVA-02."""
    channels = x.channels
    y = net.norm(x, "layer", eps=EPS, name="norm1")
    query = net.rotate(net.linear(y, channels, name="query"), grid, heads)
    key = net.rotate(net.linear(y, channels, bias=False, name="key"), grid, heads)
    value = net.linear(y, channels, name="value")
    y = net.look(query, key, value, heads)
    y = net.linear(
        net.norm(y, "layer", eps=EPS, name="inner"), channels, name="project"
    )
    x = net.add(x, net.scale(y, start=0.1, name="scale1"))
    y, wide = net.norm(x, "layer", eps=EPS, name="norm2"), int(channels * WIDER)
    opened = net.act(net.linear(y, wide, name="mlp_gate"), "silu")
    y = net.gate(opened, net.linear(y, wide, name="mlp1"))
    y = net.linear(
        net.norm(y, "layer", eps=EPS, name="mlp_norm"), channels, name="mlp2"
    )
    return net.add(x, net.scale(y, start=0.1, name="scale2"))


def _round_to_8(width: float) -> int:
    """Return the nearest multiple of 8, at least 8.

    Examples
    --------
    >>> _round_to_8(19.9), _round_to_8(3.0)
    (16, 8)
    """
    return max(8, round((width + 1e-6) / 8) * 8)
