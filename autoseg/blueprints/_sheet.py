"""The sheet that layers are drawn on: it numbers tensors, and is read by others.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autoseg.blueprints.tensors import Head, Keeps, Layer, Tensor
from autoseg.errors import PlanError

IN_PLACE = ("leaky", "relu")  # what they overwrite is not needed for their gradient


class Sheet:
    """Tensors, layers and heads of a drawing; see `autoseg.blueprints.drawing.Drawing`.

    Parameters
    ----------
    channels : int
        Of the image.
    shape : sequence of int, length D
        The image's.
    outputs : int
        Channels of the logits.
    """

    def __init__(self, channels: int, shape: Sequence[int], outputs: int) -> None:
        self.tensors: list[Tensor] = []
        self.layers: list[Layer] = []
        self.heads: list[Head] = []
        self.bare = {0}  # tensors that are no features: the image, and lent shapes
        self.outputs = outputs
        self._scope: list[str] = []
        self._named: dict[str, Layer] = {}
        self._again = False
        self.image = self._tensor(channels, tuple(shape))

    @property
    def dim(self) -> int:
        """D."""
        return len(self.image.shape)

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(layer.parameters for layer in self.layers)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Put ``name.`` in front of the names of what is drawn inside."""
        self._scope.append(name)
        yield
        self._scope.pop()

    @contextmanager
    def again(self) -> Iterator[None]:
        """Let layers whose names are known have the weights of those before."""
        before, self._again = self._again, True
        yield
        self._again = before

    def _tensor(self, channels: int, shape: tuple[int, ...]) -> Tensor:
        tensor = Tensor(len(self.tensors), channels, shape)
        if channels < 1 or min(shape, default=1) < 1:
            raise PlanError(
                f"A network would make {channels} channels of shape {shape}: the image "
                "is too small for it, or a number of channels is below 1."
            )
        self.tensors.append(tensor)
        return tensor

    def _name(self, name: str) -> str:
        full = ".".join([*self._scope, name])
        if full in self._named and not self._again:
            raise PlanError(f"A network names two of its layers {full!r}.")
        return full

    def _add(
        self,
        kind: str,
        inputs: Sequence[Tensor],
        channels: int,
        shape: Sequence[int],
        name: str = "",
        *,
        weights: int = 0,
        parameters: int = 0,
        multiply_adds: int = 0,
        keeps: Keeps | None = None,
        **options: Any,
    ) -> Tensor:
        made = self._tensor(channels, tuple(shape))
        layer = Layer(
            kind=kind,
            inputs=tuple(x.number for x in inputs),
            outputs=(made.number,),
            name=self._name(name) if name else "",
            options=options,
            weights=weights,
            parameters=parameters,
            multiply_adds=multiply_adds,
            keeps=keeps,
        )
        if layer.name in self._named:
            layer = self._shared(layer)
        elif layer.name:
            self._named[layer.name] = layer
        self.layers.append(layer)
        return made

    def _shared(self, layer: Layer) -> Layer:
        """Return a layer without weights of its own."""
        first = self._named[layer.name]
        for same in ("kind", "options", "parameters", "weights"):
            if getattr(first, same) != getattr(layer, same):
                raise PlanError(
                    f"{layer.name} is drawn again with other {same}: "
                    f"{getattr(layer, same)} instead of {getattr(first, same)}."
                )
        return layer._replace(weights=0, parameters=0, shared=True)

    def axes(self, value: int | Sequence[int]) -> tuple[int, ...]:
        """Return one number for each axis."""
        return (value,) * self.dim if isinstance(value, int) else tuple(value)

    # What is read off a drawing -----------------------------------------------------

    def finest_first(self) -> list[Head]:
        """Return the heads, those of the largest logits first, of equals the last."""
        order = sorted(
            enumerate(self.heads),
            key=lambda entry: (self.tensors[entry[1].logits].voxels, entry[0]),
            reverse=True,
        )
        return [head for _, head in order]

    def needed(self, wanted: Sequence[int]) -> list[Layer]:
        """Return the layers that some tensors are made by, in their order."""
        open_tensors, found = set(wanted), []
        for layer in reversed(self.layers):
            if open_tensors & set(layer.outputs):
                found.append(layer)
                open_tensors |= set(layer.inputs)
        return found[::-1]

    def overwrites(self, layers: Sequence[Layer]) -> set[int]:
        """Return the places in a list of layers of activations that work in place.

        They may where nobody else reads what they are given, and where what made it
        does not need it again.
        """
        readers: dict[int, int] = {}
        for layer in layers:
            for number in layer.read:
                readers[number] = readers.get(number, 0) + 1
        maker = {number: layer.kind for layer in layers for number in layer.outputs}
        return {
            place
            for place, layer in enumerate(layers)
            if layer.kind == "act"
            and layer.options["act"] in IN_PLACE
            and readers[layer.inputs[0]] == 1
            and maker.get(layer.inputs[0]) not in (None, "act", "attention")
        }
