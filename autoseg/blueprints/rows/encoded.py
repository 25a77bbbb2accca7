"""Decoders on an encoder of classification, one row each."""

from __future__ import annotations

import inspect
import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from autoseg.blueprints.declaration import Declaration, Shapes, option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.encoders import find_encoder
from autoseg.blueprints.encoders.base import REDUCTIONS
from autoseg.blueprints.parts import Layers
from autoseg.errors import PlanError

ENCODER = "resnet34"


class Encoded(Declaration):
    """A decoder on the features of an encoder (`autoseg.blueprints.encoders`).

    Strides are those that a U-Net would have on the same patch. Where it cannot be
    halved as often as the encoder would, and beyond the row's own coarsest resolution,
    convolutions are dilated instead.

    Attributes
    ----------
    reductions : int
        How many reductions of the encoder the row uses.
    strided : int
        How many of them make the image smaller; the others are dilated.
    own : mapping
        Options that only this row has, with their defaults; `decode` is given them.
    tiny : mapping
        Those of the example.
    """

    reductions: ClassVar[int] = REDUCTIONS
    strided: ClassVar[int] = REDUCTIONS
    needs_half: ClassVar[bool] = False
    own: ClassVar[Mapping[str, Any]] = {}
    tiny: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    @abstractmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw the decoder and its head.

        Parameters
        ----------
        net : Drawing
            Drawn on.
        layers : Layers
            Beside each convolution.
        features : sequence of Tensor
            The image, and what the encoder gives after each reduction.
        **own
            Options that only this row has.
        """

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        encoder: str = ENCODER,
        narrow: int = 1,
        **options: Any,
    ) -> None:
        """Draw encoder and decoder.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        strides : sequence of sequence of int, shape (n, D)
            Of the encoder's reductions.
        dilations : sequence of int, length n
            Of the convolutions of each reduction.
        encoder : str
            One of `autoseg.blueprints.encoders.ENCODERS`.
        narrow : int
            Widths of the encoder are those of the original divided by this.
        **options
            What the row has alone (``cls.own``), and fields of `Layers`.
        """
        own = {**cls.own, **{k: options.pop(k) for k in cls.own if k in options}}
        layers = Layers(**options)
        found = find_encoder(encoder)
        with drawing.scope("encoder"):
            features = found.draw(drawing, layers, strides, dilations, narrow)
        if cls.needs_half and features[0].number in drawing.bare:
            raise PlanError(
                f"{cls._said()} needs features of half the image's resolution, and "
                f"{encoder} has none: it makes the image smaller twice at once. Use "
                "another encoder, or encoder_unet or fpn, which can do without."
            )
        with drawing.scope("decoder"):
            cls.decode(drawing, layers, [drawing.image, *features], **own)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        own = {n: option(n, _kind(value), value) for n, value in cls.own.items()}
        return {**super().options(), **own}

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        super().check_options(options)
        counts = {name: len(options[name]) for name in ("strides", "dilations")}
        if set(counts.values()) != {cls.reductions}:
            raise PlanError(
                f"options of the network: strides has {counts['strides']} entries and "
                f"dilations {counts['dilations']}; both must have {cls.reductions}, "
                "one for each reduction of the encoder."
            )
        if options.get("narrow", 1) < 1:
            raise PlanError(
                f"options of the network: narrow is "
                f"{options['narrow']}; give 1 or more."
            )
        find_encoder(options.get("encoder", ENCODER))

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        dim = len(shapes.patch_size)
        halved = [list(stride) for stride in shapes.strides[1:]][: cls.strided]
        strides = halved + [[1] * dim] * (cls.reductions - len(halved))
        dilated = range(1, cls.reductions - len(halved) + 1)
        options = {
            "dim": dim,
            "strides": strides,
            "dilations": [1] * len(halved) + [2**n for n in dilated],
            # As encoders are trained on photographs.
            "norm": "batch",
            "act": "relu",
            "bias": False,
        }
        return {**options, **fixed}

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        ones = [[1] * dim] * (cls.reductions - 2)
        options = {
            "dim": dim,
            "strides": [[1] + [2] * (dim - 1), [2] * dim, *ones],
            "dilations": [1, 1] + [1] * len(ones),
            "encoder": "resnet18",
            "narrow": 8,
            "norm": "batch",
            "act": "relu",
            "bias": False,
            **cls.tiny,
        }
        return options, (4,) + (8,) * (dim - 1)


def linked(
    net: Drawing, layers: Layers, x: Tensor, channels: int, like: Tensor, kernel: int
) -> Tensor:
    """Narrow features to a quarter, enlarge them, and give them some channels.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    layers : Layers
        Beside each convolution; the transposed one has a bias in any case.
    x : Tensor
        What is enlarged.
    channels : int
        Of the result.
    like : Tensor
        Whose shape it gets.
    kernel : int
        Of the transposed convolution, 3 or 4; along axes that stay, 3.
    """
    inside, stride = x.channels // 4, step(x, like)
    with net.scope("narrow"):
        x = layers.block(net, x, inside, 1)
    with net.scope("enlarge"):
        kernels = [3 if s == 1 else kernel for s in stride]
        x = net.deconv(x, inside, stride, kernels, name="conv")
        x = layers.activate(net, layers.normalize(net, x))
    with net.scope("widen"):
        return layers.block(net, x, channels, 1)


def step(x: Tensor, larger: Tensor) -> list[int]:
    """Return how many times larger a tensor is along each axis.

    Examples
    --------
    >>> step(Tensor(0, 8, (2, 4)), Tensor(1, 4, (2, 8)))
    [1, 2]
    """
    return [math.ceil(m / n) for n, m in zip(x.shape, larger.shape, strict=True)]


def _kind(value: Any) -> Any:
    return Sequence[int] if isinstance(value, list) else type(value)
