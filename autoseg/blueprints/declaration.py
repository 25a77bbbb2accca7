"""What a network says of itself: its layers, its sizes, and how it is trained.

Legend: D number of axes, S spatial shape.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.parts import Layers
from autoseg.errors import PlanError
from autoseg.spec.settings.recipes import OwnRecipe
from autoseg.spec.settings.values import option_faults

GIVEN = ("in_channels", "heads", "deep_supervision")
POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
NEEDED = inspect.Parameter.empty  # the default of an option that has to be given


class Shapes(Protocol):
    """What a planner knows of a patch before there is a network."""

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Length D."""

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """Downsampling in front of each stage, shape (stages, D)."""

    @property
    def kernels(self) -> tuple[tuple[int, ...], ...]:
        """Of each stage, shape (stages, D)."""


class Declaration(ABC):
    """A network that is written down once: planned, built and run from it.

    A declaration is a class and never an object: calling it, as any class of networks
    is called, gives the torch module, ``NAME(in_channels, heads, deep_supervision,
    **options)``. Everything else about it needs no torch.

    Attributes
    ----------
    supervision : str
        Deep supervision gives outputs of several resolutions (``"levels"``), or all at
        the resolution of the finest (``"full"``), whose losses then count the same.
    recipe : OwnRecipe or None
        How it wants to be trained, and why; None: as the length of a training asks for.
    fixed_shape : bool
        It works on patches of one shape only.
    starts_as_identity : str
        A regular expression for the names of norms that start as zero, so that a block
        starts as its short cut; empty: none.
    nested : bool
        Its heads, in the order drawn, are the ends of ever deeper decoders, and
        prediction may stop at any of them (`Trainable.prune`).
    draw : classmethod
        ``draw(drawing, **options)`` draws all layers, from ``drawing.image`` to at
        least one head. Its parameters are the options of a plan, plain JSON, with their
        types and defaults.
    """

    supervision: ClassVar[str] = "levels"
    recipe: ClassVar[OwnRecipe | None] = None
    fixed_shape: ClassVar[bool] = False
    starts_as_identity: ClassVar[str] = ""
    nested: ClassVar[bool] = False
    __signature__: ClassVar[inspect.Signature]
    draw: ClassVar[Callable[..., None]]

    def __new__(
        cls,
        in_channels: int,
        heads: Mapping[str, int],
        deep_supervision: bool = False,
        **options: Any,
    ) -> Any:
        """Return the torch module; see `autoseg.networks.base.Network`."""
        from autoseg.blueprints.modules.module import DrawnNetwork

        cls.check_options(options)
        shape = cls.example_shape(options)
        drawing = cls.drawing(options, shape, in_channels, sum(heads.values()))
        return DrawnNetwork(
            drawing,
            heads,
            deep_supervision,
            divisor=cls.divisor(options),
            fixed_shape=cls.fixed_shape,
            slope=options.get("slope", 0.01),
            supervision=cls.supervision,
            starts_as_identity=cls.starts_as_identity,
            nested=cls.nested,
        )

    @classmethod
    @abstractmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options for a patch.

        Parameters
        ----------
        shapes : Shapes
            The patch, and how a U-Net would halve it.
        fixed : mapping
            Options that the user set; they are kept.
        """

    @classmethod
    @abstractmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Return tiny options and an image's shape S, for tests of every network."""

    @classmethod
    def most_stages(cls, fixed: Mapping[str, Any]) -> int | None:
        """Return how many resolutions there may be with what is fixed; None: any."""
        return None

    @classmethod
    def divisor(cls, options: Mapping[str, Any]) -> tuple[int, ...]:
        """Return what each edge of an image must be a multiple of; length D."""
        strides = options["strides"]
        return tuple(math.prod(axis) for axis in zip(*strides, strict=True))

    @classmethod
    def example_shape(cls, options: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the shape for which a module is drawn that works on all it can see."""
        if cls.fixed_shape:
            return tuple(options["patch"])
        return tuple(4 * step for step in cls.divisor(options))

    @classmethod
    def drawing(
        cls,
        options: Mapping[str, Any],
        shape: Sequence[int],
        in_channels: int,
        outputs: int,
    ) -> Drawing:
        """Return the layers for an image of some shape.

        Parameters
        ----------
        options : mapping
            Of the plan.
        shape : sequence of int, length D
            The image's.
        in_channels, outputs : int
            Channels of the image, and of all heads together.

        Raises
        ------
        PlanError
            If options are missing, unknown or contradict each other, or the shape is
            none that this network can take.
        """
        cls.check_options(options)
        step = cls.divisor(options)
        if len(shape) != len(step) or any(
            n % s for n, s in zip(shape, step, strict=True)
        ):
            raise PlanError(
                f"{cls._said()} cannot take an image of {tuple(shape)}: its edges must "
                f"be multiples of {step}."
            )
        drawing = Drawing(in_channels, shape, outputs)
        cls.draw(drawing, **{k: v for k, v in options.items() if k != "dim"})
        return drawing

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if not hasattr(cls, "draw"):
            return
        given = inspect.signature(Declaration.__new__).parameters
        own = [given[name].replace(kind=POSITIONAL) for name in GIVEN]
        cls.__signature__ = inspect.Signature([*own, *cls.options().values()])

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        """Return the options, with their types and defaults.

        They are the parameters of `draw`; if it takes ``**layers``, also the fields of
        `autoseg.blueprints.parts.Layers`.
        """
        return dict(_drawn(cls))

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Raise PlanError if an option is missing, unknown or cannot be."""
        faults = option_faults(cls, options, given=GIVEN)
        if not faults and options["dim"] not in (2, 3):
            faults.append(f"dim: 2 or 3, got {options['dim']}")
        if faults:
            raise PlanError(f"options of {cls._said()}: {'; '.join(faults)}.")

    @classmethod
    def _said(cls) -> str:
        return cls.__module__.rpartition(".")[2]


def option(name: str, hint: Any, default: Any = NEEDED) -> inspect.Parameter:
    """Return an option of a network, with its type."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=hint)


@functools.lru_cache(maxsize=512)
def _drawn(kind: type[Declaration]) -> dict[str, inspect.Parameter]:
    """Read hints once: a planner asks for a network's options thousands of times."""
    hints, found = typing.get_type_hints(kind.draw), {"dim": option("dim", int)}
    for name, parameter in list(inspect.signature(kind.draw).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            of_layers = typing.get_type_hints(Layers)
            for field in dataclasses.fields(Layers):
                found[field.name] = option(
                    field.name, of_layers[field.name], field.default
                )
        else:
            found[name] = option(name, hints[name], parameter.default)
    return found
