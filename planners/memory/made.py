"""What the backward pass makes again instead of keeping it, and what that takes.

Which tensors these are, is marked by `autoseg.blueprints.backward`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.backward import made_again
from autoseg.blueprints.drawing import Drawing, Layer


@dataclass(frozen=True)
class Made:
    """A tensor that the backward pass makes again.

    Parameters
    ----------
    number : int
        Which tensor of the drawing.
    memory : int
        Where it was, in the forward pass.
    most : int
        Elements that are there at once while it is made, itself included.
    before : frozenset of int
        Tensors that are made before, by number.
    last : bool
        Nobody needs it after.
    """

    number: int
    memory: int
    most: int
    before: frozenset[int]
    last: bool


class Ways:
    """How tensors of a drawing are made again.

    Parameters
    ----------
    drawing : Drawing
        The network.
    layers : sequence of Layer
        Those that are computed.
    wanted : sequence of int
        Tensors that are outputs, by number.
    memory : sequence of int
        Where each tensor is.
    """

    def __init__(
        self,
        drawing: Drawing,
        layers: Sequence[Layer],
        wanted: Sequence[int],
        memory: Sequence[int],
    ) -> None:
        self.drawing, self.memory = drawing, memory
        self.maker = {n: layer for layer in layers for n in layer.outputs}
        self.again = made_again(drawing, layers, wanted)
        self._before: dict[int, frozenset[int]] = {}
        self._most: dict[int, int] = {}
        self._roots: dict[int, tuple[int, ...]] = {}
        for layer in layers:
            if layer.outputs[0] in self.again:
                self._add(layer)

    def _size(self, number: int) -> int:
        tensor = self.drawing.tensors[number]
        return tensor.channels * tensor.voxels

    def _add(self, layer: Layer) -> None:
        """Note what a layer takes, once all before it are noted."""
        made, there, most = layer.outputs[0], 0, 0
        sources = [n for n in layer.read if n in self.again]
        for number in sorted(sources, key=lambda n: -len(self._before[n])):
            most = max(most, there + self._most[number])
            there += self._size(number)
        overwritten = self.memory[made] in {self.memory[n] for n in sources}
        own = 0 if overwritten else self._size(made)
        self._most[made] = max(most, there + own)
        self._before[made] = frozenset(sources).union(
            *(self._before[n] for n in sources)
        )

    def roots(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Return what is kept so that some tensors can be made, by memory."""
        found: dict[int, None] = {}
        for number in numbers:
            if number not in self.again:
                found[self.memory[number]] = None
                continue
            if number not in self._roots:
                self._roots[number] = self._roots_of(number)
            found.update(dict.fromkeys(self._roots[number]))
        return tuple(found)

    def _roots_of(self, number: int) -> tuple[int, ...]:
        """Return what one tensor, and all before it that are made, are made of."""
        found: dict[int, None] = {}
        for one in (number, *self._before[number]):
            kept = (n for n in self.maker[one].read if n not in self.again)
            found.update(dict.fromkeys(self.memory[n] for n in kept))
        return tuple(found)

    def made(self, layer: Layer, numbers: Sequence[int]) -> tuple[Made, ...]:
        """Return what is made again so that the gradient of a layer can be computed."""
        return tuple(
            Made(
                number,
                self.memory[number],
                self._most[number],
                self._before[number],
                number in layer.outputs,
            )
            for number in numbers
            if number in self.again
        )
