"""A residual encoder, a transformer on what it gives, and a decoder with skips."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from autoseg.blueprints.declaration import Declaration, Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.transformers import attention_recipe, layer
from autoseg.errors import PlanError

HALVINGS = 4
GROUPS = 32
EPS = 1e-6
BLOCKS = (3, 4, 9)
DECODER = (256, 128, 64, 16)
NARROWED, KEYS = 16, 8  # dual attention: channels inside, and of queries


class Hybrid(Declaration):
    """Standardized convolutions in residual blocks, layers of attention, and a decoder.

    Positions are learned, so that it works on patches of one shape only.

    Attributes
    ----------
    dual : bool
        Attention between voxels and between channels stands in front of the
        transformer and on the coarser skips.
    """

    recipe = attention_recipe(
        "its authors use SGD, but begin with weights of other pictures"
    )
    fixed_shape = True
    dual: ClassVar[bool] = False

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        patch: Sequence[int],
        strides: Sequence[Sequence[int]],
        width: int = 64,
        blocks: Sequence[int] = BLOCKS,
        hidden: int = 768,
        mlp: int = 3072,
        attention: int = 12,
        layers: int = 12,
        between: int = 512,
        decoder: Sequence[int] = DECODER,
        convolve: bool = True,
        **more: Any,
    ) -> None:
        """Draw encoder, transformer and decoder.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        patch : sequence of int, length D
            The shape of all images.
        strides : sequence of sequence of int, shape (n + 1, D)
            Of each resolution; the first is all 1.
        width : int
            Channels of the first convolution.
        blocks : sequence of int, length n - 1 or more
            Residual blocks of each resolution but the first.
        hidden, mlp : int
            Channels of a token, and inside of a layer.
        attention, layers : int
            Heads of a layer, and layers.
        between : int
            Channels between transformer and decoder.
        decoder : sequence of int, length n or more
            Channels of its levels; the last ones are used.
        convolve : bool
            With the residual encoder; without, tokens are cut out of the image, and
            there are no skips.
        **more
            Fields of `Layers`, for the decoder; convolutions have no bias.
        """
        net, kind = drawing, Layers(**{"bias": False, "act": "relu", **more})
        size: Sequence[int] = (1,) * net.dim
        x: Tensor = net.image
        skips: list[Tensor | None] = [None] * (len(strides) - 1)
        if convolve:
            x, skips = _encoder(net, width, blocks, strides)
        else:
            size = [math.prod(axis) for axis in zip(*strides, strict=True)]
        with net.scope("transformer"):
            x = cls._transformer(net, x, hidden, size, mlp, attention, layers)
        with net.scope("decoder.before"):
            x = kind.block(net, x, between, 3)
        for number, wide in enumerate(decoder[-len(skips) :]):
            skip = skips[-1 - number]
            with net.scope(f"decoder.{number}"):
                steps = strides[: -1 - number]
                like = net.image if skip is None else skip
                if skip is None and len(steps) > 1:
                    size = [math.prod(axis) for axis in zip(*steps, strict=True)]
                    like = net.lend(net.image, size)
                x = net.resize(x, like, "corners")
                if skip is not None:
                    if cls.dual and skip.channels > width:
                        with net.scope("dual"):
                            skip = dual_attention(net, kind, skip)
                    x = net.cat(x, skip)
                for place in (1, 2):
                    with net.scope(f"conv{place}"):
                        x = kind.block(net, x, wide, 3)
        net.head(x, 3, name="head")

    @classmethod
    def _transformer(
        cls,
        net: Drawing,
        x: Tensor,
        hidden: int,
        size: Sequence[int],
        mlp: int,
        heads: int,
        layers: int,
    ) -> Tensor:
        grid = net.conv(x, hidden, size, size, name="embed")
        if cls.dual:
            with net.scope("dual"):
                kind = Layers(bias=False, act="relu")
                grid = dual_attention(net, kind, grid)
        x = net.position(net.tokens(grid), name="position")
        for number in range(layers):
            with net.scope(f"layers.{number}"):
                x = layer(net, x, mlp, heads, bias=True, eps=EPS)
        return net.grid(net.norm(x, "layer", eps=EPS, name="norm"), grid)

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "dim": len(shapes.patch_size),
            "patch": list(shapes.patch_size),
            "strides": [list(stride) for stride in shapes.strides[: HALVINGS + 1]],
            **fixed,
        }

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        steps = len(options["strides"]) - 1
        least = {"decoder": steps, "blocks": steps - 1, "strides": 2}
        for name, default in (("decoder", DECODER), ("blocks", BLOCKS)):
            given = options.get(name, default)
            if len(given) < least[name] or steps < 1:
                raise PlanError(
                    f"options of the network: {name} has {len(given)} entries; with "
                    f"{steps} strides behind the first it needs {least[name]}."
                )

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        patch = (4,) + (8,) * (dim - 1)
        options = {
            "dim": dim,
            "patch": list(patch),
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            "width": 4,
            "blocks": [2],
            "hidden": 16,
            "mlp": 12,
            "attention": 2,
            "layers": 1,
            "between": 8,
            "decoder": [6, 4],
        }
        return options, patch


def _encoder(
    net: Drawing, width: int, blocks: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[Tensor, list[Tensor | None]]:
    """Draw stem and stages; return their end, and skips: the image has none."""
    x = _standard(net, net.image, width, 7, strides[1], name="stem")
    x = net.act(_grouped(net, x, "norm"), "relu")
    skips: list[Tensor | None] = [None]
    for stage, stride in enumerate(strides[2:]):
        skips.append(x)
        if stage == 0:
            x, _ = net.max_pool(x, stride, 3)
        inside = width * 2**stage
        for number in range(blocks[stage]):
            step = stride if stage and not number else (1,) * net.dim
            with net.scope(f"stages.{stage}.{number}"):
                x = _block(net, x, inside, step)
    return x, skips


def _block(net: Drawing, x: Tensor, inside: int, stride: Sequence[int]) -> Tensor:
    short, wide = x, 4 * inside
    if x.channels != wide or any(step != 1 for step in stride):
        short = _standard(net, x, wide, 1, stride, name="project")
        short = net.norm(short, "group", groups=wide, name="norm_project")
    y = x
    for number, (width, kernel) in enumerate(((inside, 1), (inside, 3), (wide, 1)), 1):
        y = _standard(
            net, y, width, kernel, stride if kernel == 3 else 1, f"conv{number}"
        )
        y = _grouped(net, y, f"norm{number}")
        if number < 3:
            y = net.act(y, "relu")
    return net.act(net.add(short, y), "relu")


def _standard(
    net: Drawing,
    x: Tensor,
    channels: int,
    kernel: int,
    stride: int | Sequence[int],
    name: str,
) -> Tensor:
    return net.conv(
        x, channels, kernel, stride, bias=False, standardized=True, name=name
    )


def _grouped(net: Drawing, x: Tensor, name: str) -> Tensor:
    groups = math.gcd(GROUPS, x.channels)
    return net.norm(x, "group", groups=groups, eps=EPS, name=name)


def dual_attention(net: Drawing, layers: Layers, x: Tensor) -> Tensor:
    """Draw attention between voxels beside one between channels [1]_.

    References
    ----------
    .. [1] Fu et al., "Dual attention network for scene segmentation", CVPR 2019.
       arXiv:1809.02983
    """
    inside = max(1, x.channels // NARROWED)
    with net.scope("voxels.before"):
        y = layers.block(net, x, inside, 3)
    row, keys = net.tokens(y), max(1, inside // KEYS)
    query, key = (net.linear(row, keys, name=f"voxels.{n}") for n in ("query", "key"))
    value = net.linear(row, inside, name="voxels.value")
    seen = net.grid(net.look(query, key, value, 1, scaled=False), y)
    seen = net.scale(seen, start=0.0, alike=True, name="voxels.scale")
    with net.scope("voxels.after"):
        of_voxels = layers.block(net, net.add(seen, y), inside, 3)
    with net.scope("channels.before"):
        y = layers.block(net, x, inside, 3)
    seen = net.scale(
        net.between_channels(y), start=0.0, alike=True, name="channels.scale"
    )
    with net.scope("channels.after"):
        of_channels = layers.block(net, net.add(seen, y), inside, 3)
    both = net.add(of_voxels, of_channels)
    return net.act(net.conv(both, x.channels, 1, name="widen"), "relu")
