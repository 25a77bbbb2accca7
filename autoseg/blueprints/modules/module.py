"""Networks that are made of a drawing: modules for what learns, and a walk over it.

Legend: B batch, C channels, K channels of a head, S spatial shape, D number of axes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.blueprints.backward import made_again
from autoseg.blueprints.drawing import Drawing, Head, Layer
from autoseg.blueprints.modules._again import Again, Keeper, normalize_again
from autoseg.blueprints.modules._layers import apply, make
from autoseg.blueprints.modules._start import start_weights
from autoseg.blueprints.modules.trainable import LateLogits, Outputs, Trainable
from autoseg.errors import PlanError, UsageError

MEAN = "mean"  # of all outputs of a nested decoder


class Apart:
    """A stack of channels that nobody has put together.

    Parameters
    ----------
    pieces : sequence of tensor, shape (B, C, *S)
        Of any number of channels, which come one after the other.
    """

    def __init__(self, pieces: Sequence[Tensor]) -> None:
        self.pieces = tuple(pieces)

    @property
    def shape(self) -> torch.Size:
        """The shape that they have together."""
        batch, _, *space = self.pieces[0].shape
        return torch.Size((batch, sum(p.shape[1] for p in self.pieces), *space))

    def together(self) -> Tensor:
        """Return them as one tensor."""
        return torch.cat(self.pieces, dim=1)


@dataclass(frozen=True)
class _Step:
    """One layer of a walk: its module, if it has one, and what is not needed after."""

    layer: Layer
    module: nn.Module | None
    in_place: bool
    last_use: tuple[int, ...]
    again: bool
    apart: bool

    def run(self, inputs: list[Tensor], shape: Any = None) -> Any:
        """Return what the layer makes of its inputs, which it takes off the list."""
        if self.apart:
            return Apart(inputs)
        if self.module is None:
            return apply(self.layer, inputs, self.in_place, shape)
        if shape is not None:
            return self.module(inputs.pop(), shape)
        if len(inputs) > 1:
            return self.module(*inputs)
        return self.module(inputs.pop())

    def run_again(self, inputs: list[Tensor]) -> Tensor:
        """Return the same once more."""
        if self.layer.kind == "norm" and self.module is not None:
            return normalize_again(self.module, inputs.pop())
        found: Tensor = self.run(inputs)
        return found


class DrawnNetwork(Trainable):
    """A network whose layers are those of a drawing.

    Parameters
    ----------
    drawing : Drawing
        What is computed.
    heads : mapping of str to int
        Channels by head; in all, as many as the drawing's logits have.
    deep_supervision : bool
        Give all levels.
    divisor : sequence of int, length D
        What each edge of an image must be a multiple of.
    fixed_shape : bool
        It works on images of the drawing's shape only.
    slope : float
        Of the leaky ReLU, for which weights start.
    supervision : str
        ``"levels"``: outputs of several resolutions; ``"full"``: all of one.
    starts_as_identity : str
        A regular expression for the names of norms that start as zero.
    nested : bool
        Each output is a decoder of its own depth, in the order drawn.
    """

    def __init__(
        self,
        drawing: Drawing,
        heads: Mapping[str, int],
        deep_supervision: bool,
        *,
        divisor: Sequence[int],
        fixed_shape: bool = False,
        slope: float = 0.01,
        supervision: str = "levels",
        starts_as_identity: str = "",
        nested: bool = False,
    ) -> None:
        super().__init__()
        self.heads = dict(heads)
        self.divisor = tuple(divisor)
        self.deep_supervision = deep_supervision
        self.supervision = supervision
        self._shape = drawing.image.shape if fixed_shape else None
        self._drawing = drawing
        self._levels = drawing.finest_first()
        for layer in drawing.layers:
            if layer.name and not layer.shared:
                _place(self, layer.name, _made(drawing, layer))
        start_weights(self, slope)
        if starts_as_identity:
            for layer in drawing.layers:
                if re.search(starts_as_identity, layer.name):
                    for parameter in _part(self, layer.name).parameters():
                        nn.init.zeros_(parameter)
        self._nested = nested
        self._given = self._levels[:1]  # what outputs are made of; several: their mean
        self._walks: dict[tuple[int, ...], list[_Step]] = {}
        self._apart: frozenset[int] = frozenset()

    def prune(self, depth: str) -> None:
        if not self._nested:
            return super().prune(depth)
        outputs = self._drawing.heads
        known = [str(number) for number in range(1, len(outputs) + 1)]
        if depth not in (MEAN, *known):
            raise UsageError(
                f"--prune {depth}: this network's decoder has the depths "
                f"{', '.join(known)}; give one of them, or {MEAN}."
            )
        self._given = outputs if depth == MEAN else [outputs[int(depth) - 1]]

    def start_head(self, name: str, bias: float) -> None:
        start = sum(list(self.heads.values())[: list(self.heads).index(name)])
        with torch.no_grad():
            last: Any = self._head(self._levels[0])
            last.bias[start : start + self.heads[name]] = bias

    def last_parameters(self) -> Sequence[nn.Parameter]:
        modules = map(self._head, self._drawing.heads)  # in the order of their names
        return [parameter for module in modules for parameter in module.parameters()]

    def sole_readers(self, kind: str, of: str) -> set[str]:
        """Return the names of layers of a kind that may overwrite what they are given.

        Nothing else reads it, and a layer of the kind ``of`` has made it.
        """
        layers = self._drawing.layers
        read = Counter(number for layer in layers for number in layer.read)
        read.update(n for head in self._levels for n in (head.logits, head.features))
        made = {n for layer in layers if layer.kind == of for n in layer.outputs}
        chosen = [layer for layer in layers if layer.kind == kind and layer.name]
        others = {
            layer.name
            for layer in chosen
            if layer.inputs[0] not in made or read[layer.inputs[0]] > 1
        }
        return {layer.name for layer in chosen} - others

    def leave_apart(self, names: Iterable[str]) -> None:
        """Give layers of these names the pieces of a stack, `Apart`, uncopied.

        Parameters
        ----------
        names : iterable of str
            Of `sole_readers` of what is stacked.
        """
        chosen = frozenset(names)
        layers = [layer for layer in self._drawing.layers if layer.name in chosen]
        self._apart = frozenset(layer.inputs[0] for layer in layers)
        self._walks = {}

    def _head(self, head: Head) -> nn.Module:
        return _part(self, head.layer.name)

    def forward(self, image: Tensor) -> Outputs:
        self._check(image)
        sizes, names = list(self.heads.values()), list(self.heads)
        finest = self._given[0]
        if self.late and finest.late:
            features = self._computed(image, (finest.features,))[0]
            last: Any = self._head(finest)
            weights = last.weight.split(sizes), last.bias.split(sizes)
            return {
                name: LateLogits(features, weight, bias)
                for name, weight, bias in zip(names, *weights, strict=True)
            }
        wanted = self._levels if self.deep_supervision else self._given
        levels = self._computed(image, tuple(head.logits for head in wanted))
        if len(levels) > 1 and not self.deep_supervision:
            levels = [torch.stack(levels).mean(0)]
        parts = [level.split(sizes, dim=1) for level in levels]
        if self.deep_supervision:
            return {name: [part[i] for part in parts] for i, name in enumerate(names)}
        return dict(zip(names, parts[0], strict=True))

    def _check(self, image: Tensor) -> None:
        shape = tuple(image.shape[2:])
        if len(shape) != len(self.divisor) or any(
            size % step for size, step in zip(shape, self.divisor, strict=True)
        ):
            raise PlanError(
                f"The network got an image of shape {shape}, which must be a "
                f"multiple of {self.divisor}, the product of its strides. Pad it."
            )
        if self._shape is not None and shape != self._shape:
            raise PlanError(
                f"The network got an image of shape {shape}; it learned where each "
                f"token is in one of {self._shape}, and can see no other."
            )

    def _computed(self, image: Tensor, wanted: tuple[int, ...]) -> list[Tensor]:
        """Return some tensors of the drawing; all others are forgotten when read."""
        if wanted not in self._walks:
            self._walks[wanted] = self._walk(wanted)
        if self._saves_memory():
            keeper = Keeper(image.device)
            with keeper.hooks():
                return self._steps(image, wanted, keeper)
        return self._steps(image, wanted, None)

    def _saves_memory(self) -> bool:
        # What is compiled decides by itself what it keeps.
        compiling = torch.compiler.is_compiling()
        return self.recompute and torch.is_grad_enabled() and not compiling

    def _steps(
        self, image: Tensor, wanted: tuple[int, ...], keeper: Keeper | None
    ) -> list[Tensor]:
        values: dict[int, Any] = {0: image}
        shapes: dict[int | None, Any] = {0: image.shape[2:]}
        for step in self._walks[wanted]:
            layer = step.layer
            inputs = [values[number] for number in layer.read]
            again = None
            if keeper is not None and step.again:
                sources = keeper.sources(layer.read, inputs)
                again = Again(layer.outputs[0], step.run_again, sources)
            for number in step.last_use:
                del values[number]
            found = step.run(inputs, shapes.get(layer.like))
            del inputs
            if len(layer.outputs) == 1:
                values[layer.outputs[0]] = found
                shapes[layer.outputs[0]] = found.shape[2:]
            else:
                values.update(zip(layer.outputs, found, strict=True))
                shapes[layer.outputs[0]] = found[0].shape[2:]
            if keeper is not None:
                one = found if len(layer.outputs) == 1 else None
                keeper.after(one, again, step.last_use)
            del found
        return [values[number] for number in wanted]

    def _walk(self, wanted: tuple[int, ...]) -> list[_Step]:
        layers = self._drawing.needed(wanted)
        in_place = self._drawing.overwrites(layers)
        again = made_again(self._drawing, layers, wanted)
        last = {n: place for place, layer in enumerate(layers) for n in layer.read}
        return [
            _Step(
                layer,
                _part(self, layer.name) if layer.name else None,
                place in in_place,
                tuple(
                    n
                    for n in dict.fromkeys(layer.read)
                    if last[n] == place and n not in wanted
                ),
                layer.outputs[0] in again,
                layer.outputs[0] in self._apart,
            )
            for place, layer in enumerate(layers)
        ]


class _Holder(nn.Module):
    """Holds modules, in the order drawn: by name, or by number."""

    def __getitem__(self, number: int) -> nn.Module:
        return list(self.children())[number]

    def __iter__(self) -> Iterator[nn.Module]:
        return self.children()

    def __len__(self) -> int:
        return len(self._modules)


def _made(drawing: Drawing, layer: Layer) -> nn.Module:
    channels = drawing.tensors[layer.inputs[0]].channels
    made = drawing.tensors[layer.outputs[0]].channels
    return make(layer, channels, made, drawing.dim)


def _place(root: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module where its dotted name says, in modules that only hold others."""
    *path, last = name.split(".")
    for part in path:
        if part not in root._modules:
            root.add_module(part, _Holder())
        root = _part(root, part)
    root.add_module(last, module)


def _part(root: nn.Module, name: str) -> nn.Module:
    """Return a module by its dotted name, in a tenth of the time of `get_submodule`.

    That asks of each part of a name whether it is there; here all are.
    """
    for part in name.split("."):
        found: Any = root._modules[part]
        root = found
    return root
