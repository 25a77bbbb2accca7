"""What a drawing is made of: tensors without values, layers, heads.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

# Their last input only lends its shape.
LENT = (
    "resize",
    "unpool",
    "grid",
    "windows",
    "unwindows",
    "window_attention",
    "routed",
    "rotate",
)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a drawing.

    Parameters
    ----------
    number : int
        Its place in the drawing.
    channels : int
        C.
    shape : tuple of int
        S, or (N,) of tokens.
    """

    number: int
    channels: int
    shape: tuple[int, ...]

    @property
    def voxels(self) -> int:
        """Number of voxels or tokens."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Keeps:
    """The memory of a layer beside its inputs and its output, per sample.

    Parameters
    ----------
    tensors : tuple of int
        Inputs and outputs that its gradient needs.
    numbers, floats : int
        Numbers that its gradient needs besides: of the features' precision, and of
        float32.
    forward, backward : int
        Numbers of the features' precision that it takes for a moment in each pass.
    """

    tensors: tuple[int, ...] = ()
    numbers: int = 0
    floats: int = 0
    forward: int = 0
    backward: int = 0


class Layer(NamedTuple):
    """One operation of a drawing.

    A tuple, because it is made in a third of the time of a frozen data class of so many
    fields, and planning makes tens of thousands.

    Parameters
    ----------
    kind : str
        The method of `Drawing` that drew it.
    inputs, outputs : tuple of int
        Tensors that are read and written.
    name : str
        Of the module, dotted; empty if nothing is learned.
    options : mapping
        What the module is made with.
    weights : int
        Elements of kernels and matrices; those of precision and of matrix units.
    parameters : int
        All elements that are learned.
    multiply_adds : int
        Of the forward pass, per sample.
    keeps : Keeps, optional
        Its memory, where that follows from more than its kind.
    shared : bool
        Its module is that of an earlier layer of the same name.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    name: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    weights: int = 0
    parameters: int = 0
    multiply_adds: int = 0
    keeps: Keeps | None = None
    shared: bool = False

    @property
    def read(self) -> tuple[int, ...]:
        """The inputs whose numbers are read."""
        return self.inputs[: len(self.inputs) - (self.kind in LENT)]

    @property
    def like(self) -> int | None:
        """The input that only lends its shape, if there is one."""
        return self.inputs[-1] if self.kind in LENT else None


@dataclass(frozen=True)
class Head:
    """Logits of one level: features, and the layer that makes logits of them.

    Parameters
    ----------
    features : int
        The tensor that the layer is given.
    layer : Layer
        Has the weights.
    enlarged : int, optional
        The tensor of the logits, if something was added to what the layer gives, or it
        was interpolated.
    """

    features: int
    layer: Layer
    enlarged: int | None = None

    @property
    def logits(self) -> int:
        """The tensor of the logits."""
        return self.layer.outputs[0] if self.enlarged is None else self.enlarged

    @property
    def late(self) -> bool:
        """Whether logits can be made of features voxel by voxel, some at a time."""
        return self.enlarged is None and max(self.layer.options["kernel"]) == 1
