"""U-Nets as rows: which parts they have, and the one walk that puts them together."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Protocol

from autoseg.blueprints.declaration import Declaration, Shapes, option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import (
    Down,
    Layers,
    Plain,
    Stage,
    Up,
    enlarge,
)
from autoseg.errors import PlanError

FEATURES = 32  # of the first stage; doubled with each stage
MOST_FEATURES = {2: 512, 3: 320}


class Block(Protocol):
    """What a stage is made of."""

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        """Draw one stage; return its features."""


class Stages(Declaration):
    """A network with an encoder of stages, as far as planning goes.

    Attributes
    ----------
    block : Block
        What a stage of the encoder is made of.
    stem : bool
        One convolution in front of the first stage.
    counts : str
        The option that says how many blocks each stage of the encoder has.
    depth : tuple of int
        Blocks of the first stages by default; then as the last.
    convs : int
        Convolutions of a level of the decoder by default.
    planned : mapping
        Options that a plan of this network has if the user sets no other.
    tiny : mapping
        Options of the example.
    """

    block: ClassVar[Block] = Plain(inside="0.")
    stem: ClassVar[bool] = False
    counts: ClassVar[str] = "convs_encoder"
    depth: ClassVar[tuple[int, ...]] = (2,)
    convs: ClassVar[int] = 2
    planned: ClassVar[Mapping[str, Any]] = {}
    tiny: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        features = options["features"]
        lists = ("kernels", "strides", cls.counts, "convs_decoder")
        check_lengths(options["dim"], features, **{n: options[n] for n in lists})
        check_head_stage(options.get("head_stage", 0), len(features))

    @classmethod
    def encoder(
        cls,
        net: Drawing,
        layers: Layers,
        stages: Sequence[Stage],
        down: Down,
        block: Block | None = None,
    ) -> list[Tensor]:
        """Draw the way down; return what each stage gives."""
        x, skips = net.image, []
        if cls.stem:
            with net.scope("encoder.stem.convs.0"):
                x = layers.block(net, x, stages[0].channels, stages[0].kernel)
        for number, stage in enumerate(stages):
            if down == "max_pool" and stage.strided:
                x, _ = net.max_pool(x, stage.stride)
                stage = replace(stage, stride=(1,) * net.dim)
            with net.scope(f"encoder.stages.{number}"):
                x = (block or cls.block).draw(net, layers, x, stage)
            skips.append(x)
        return skips

    # Planning -----------------------------------------------------------------------

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        dim, stages = len(shapes.patch_size), len(shapes.strides)
        options: dict[str, Any] = {
            "dim": dim,
            "features": doubled(dim, stages),
            "kernels": list(map(list, shapes.kernels)),
            "strides": list(map(list, shapes.strides)),
            cls.counts: [cls.depth[min(s, len(cls.depth) - 1)] for s in range(stages)],
            "convs_decoder": [cls.convs] * (stages - 1),
            **cls.planned,
        }
        for key, value in fixed.items():
            if key == "head_stage":
                value = min(value, stages - 2)
                if value < 1:
                    continue
            if key in ("features", cls.counts):
                value = value[:stages]
            elif key == "convs_decoder":
                value = value[: stages - 1]
            options[key] = value
        return options

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        lengths = [len(fixed[key]) for key in ("features", cls.counts) if key in fixed]
        if "convs_decoder" in fixed:
            lengths.append(len(fixed["convs_decoder"]) + 1)
        return min(lengths, default=None)

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options: dict[str, Any] = {
            "dim": dim,
            "features": [2, 4, 4 if cls.stem else 6],
            "kernels": [[1] + [3] * (dim - 1), [3] * dim, [3] * dim],
            "strides": [[1] * dim, [1] + [2] * (dim - 1), [2] * dim],
            cls.counts: [1, 2, 1 if cls.stem else 2],
            "convs_decoder": [1 if cls.stem else 2, 1],
            **cls.tiny,
        }
        return options, (4,) + (8,) * (dim - 1)


class Row(Stages):
    """A U-Net: an encoder of stages, a decoder with skips, a head on each level.

    Attributes
    ----------
    own : mapping
        Options that only this row has, with their defaults; `skip` is given them.
    """

    own: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def skip(
        cls,
        net: Drawing,
        layers: Layers,
        skip: Tensor,
        large: Tensor,
        below: Tensor,
        level: str,
        **own: Any,
    ) -> Tensor:
        """Return what of a skip is stacked on the features of its level.

        Parameters
        ----------
        net : Drawing
            Drawn on.
        layers : Layers
            Beside each convolution.
        skip, large, below : Tensor
            What the encoder gives; what comes from below, enlarged; and as it was.
        level : str
            ``"deepest"``, ``"finest"`` or ``""`` of those between.
        **own
            Options that only this row has (`own`), and the number of the ``stage`` that
            the skip is of, 0 for the finest.
        """
        return skip

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        """Return what stages of the encoder and levels of the decoder are made of."""
        return cls.block, Plain()

    @classmethod
    def bottom(cls, net: Drawing, layers: Layers, x: Tensor, **own: Any) -> Tensor:
        """Return what the decoder is given of the deepest features."""
        return x

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs_decoder: Sequence[int],
        head_stage: int = 0,
        down: Down = "stride",
        up: Up = "deconv",
        supervision: Literal["levels", "fused"] = "levels",
        **options: Any,
    ) -> None:
        """Draw encoder, decoder and heads.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        features : sequence of int, length n
            Channels of each stage, finest first.
        kernels, strides : sequence of sequence of int, shape (n, D)
            Of each stage; the first stride is all 1.
        convs_decoder : sequence of int, length n - 1
            Convolutions in each level of the decoder, deepest first.
        head_stage : int
            Stage of the encoder whose resolution the finest outputs have. The levels of
            the decoder above it are left out.
        down : str
            ``"stride"`` of the first convolution, or ``"max_pool"``.
        up : str
            See `autoseg.blueprints.parts.enlarge`.
        supervision : str
            ``"levels"``: a head on each; ``"fused"``: one head, made of what all levels
            say in the image's resolution.
        **options
            How many blocks each stage of the encoder has (``cls.counts``), what the row
            has alone (``cls.own``), and fields of `Layers`.
        """
        counts = options.pop(cls.counts)
        own = {name: options.pop(name, value) for name, value in cls.own.items()}
        layers = Layers(**options)
        stages = [
            Stage(channels=f, kernel=k, stride=s, count=c)
            for f, k, s, c in zip(features, kernels, strides, counts, strict=True)
        ]
        coding, decoding = cls.blocks(**own)
        skips = cls.encoder(drawing, layers, stages, down, coding)
        levels = [cls.bottom(drawing, layers, skips[-1], **own)]
        for level in range(len(stages) - 1 - head_stage):
            below, skip = levels[-1], skips[-level - 2]
            with drawing.scope("decoder.transpconvs"):
                step = strides[-level - 1]
                width = features[-level - 2]
                large = enlarge(
                    drawing, layers, below, skip, step, up, str(level), width
                )
            which = {0: "deepest", len(stages) - 2: "finest"}.get(level, "")
            with drawing.scope(f"decoder.skips.{level}"):
                own["stage"] = len(stages) - 2 - level
                used = cls.skip(drawing, layers, skip, large, below, which, **own)
            stage = Stage(
                channels=width,
                kernel=kernels[-level - 2],
                stride=(1,) * drawing.dim,
                count=convs_decoder[level],
            )
            with drawing.scope(f"decoder.stages.{level}"):
                x = decoding.draw(drawing, layers, drawing.cat(large, used), stage)
            levels.append(x)
            if supervision == "levels":
                drawing.head(x, name=f"decoder.seg_layers.{level}")
        if supervision == "fused":
            fuse(drawing, levels[1:])

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        found = {**super().options(), cls.counts: option(cls.counts, Sequence[int])}
        return {**found, **{n: option(n, type(v), v) for n, v in cls.own.items()}}


def fuse(net: Drawing, levels: Sequence[Tensor]) -> None:
    """Draw one head that is made of what all levels say, deepest first."""
    said = []
    for number, x in enumerate(levels):
        logits = net.conv(x, net.outputs, 1, name=f"decoder.said.{number}")
        same = x.shape == net.image.shape
        said.append(logits if same else net.resize(logits, net.image))
    net.head(net.cat(*said), name="decoder.seg_layers.0")


def doubled(dim: int, stages: int) -> list[int]:
    """Return channels that double with each stage, up to a most."""
    return [min(FEATURES * 2**stage, MOST_FEATURES[dim]) for stage in range(stages)]


def check_head_stage(head_stage: int, stages: int) -> None:
    """Raise PlanError unless a decoder can end at a stage of the encoder."""
    if not isinstance(head_stage, int) or not 0 <= head_stage <= stages - 2:
        raise PlanError(
            f"options of the network: head_stage is {head_stage!r}; with {stages} "
            f"stages it can be 0 to {stages - 2}."
        )


def check_lengths(dim: int, features: Sequence[int], **lists: Sequence[Any]) -> None:
    """Raise PlanError unless every list has an entry for each stage.

    Parameters
    ----------
    dim : int
        Number of spatial axes; entries that are lists must be as long.
    features : sequence of int
        One entry for each stage.
    **lists : sequence
        Options by name. ``convs_decoder`` has one entry less than there are stages.
    """
    stages = len(features)
    problems = []
    if stages < 2:
        problems.append(f"features has {stages} entries; a U-Net needs 2 or more")
    for name, values in lists.items():
        wanted = stages - 1 if name == "convs_decoder" else stages
        if len(values) != wanted:
            problems.append(f"{name} has {len(values)} entries instead of {wanted}")
        for value in values:
            if isinstance(value, (list, tuple)) and len(value) != dim:
                problems.append(f"{name} has the entry {value}, not one of {dim} axes")
    if any(step != 1 for step in lists["strides"][0]):
        problems.append(f"strides begin with {lists['strides'][0]} instead of ones")
    if problems:
        raise PlanError("options of the network: " + "; ".join(problems) + ".")
