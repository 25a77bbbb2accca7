"""What a training step does with a drawing: what autograd keeps, and what is alive.

A `Drawing` says what a network computes. Here each of its layers becomes an operation
with the tensors that PyTorch keeps for its backward pass, in eager mode.
tests/planners/memory compares them with the modules that are made of the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from autoseg.blueprints.backward import needs
from autoseg.blueprints.drawing import Drawing, Layer
from autoseg.blueprints.tensors import Keeps
from planners.memory.made import Made, Ways
from planners.network import declared

KINDS = {"deconv": "up", "avg_pool": "pool"}  # named by what they cost
VIEWS = ("grid",)  # their result is the same memory, read in another order
INDEX = 2  # an index takes as much as two numbers of float32


class Op(NamedTuple):
    """One operation; a tuple, as a `Layer` is, because there are so many.

    Parameters
    ----------
    kind : str
        ``"conv"``, ``"up"``, ``"head"``, ``"pool"`` (averages), or as in `Drawing`.
    inputs : tuple of int
        Tensors that are read and get a gradient. Tensors are told apart by their
        memory: what works in place writes the tensor that it reads.
    output : int
        The tensor that is written.
    saved : tuple of int
        Tensors that the backward pass needs.
    again : tuple of Made
        Those that it makes of ``saved``, instead of keeping them.
    alive : tuple of int
        Tensors that are there meanwhile, those of this operation included, if that was
        asked for.
    weights : int
        Elements of kernels; those of precision and of matrix units.
    parameters : int
        All elements that are learned.
    statistics, numbers : int
        Elements per sample that the backward pass needs besides: in float32, and in the
        precision of the feature maps.
    moment : tuple of int, length 2
        Elements per sample that it takes for a moment, forward and backward.
    multiply_adds : int
        Of the forward pass, per sample.
    copies : int
        How often its output's size is copied for a moment in the backward pass.
    pointwise : bool
        A convolution of single voxels, which is a product of matrices.
    fresh : bool
        Its weights are made of what is learned, and kept for the gradient.
    in_order : bool
        The channels of a voxel lie side by side in what it reads, as a library wants
        them.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    saved: tuple[int, ...] = ()
    again: tuple[Made, ...] = ()
    alive: tuple[int, ...] = ()
    weights: int = 0
    parameters: int = 0
    statistics: int = 0
    numbers: int = 0
    moment: tuple[int, int] = (0, 0)
    multiply_adds: int = 0
    copies: int = 0
    pointwise: bool = False
    fresh: bool = False
    in_order: bool = False


@dataclass(kw_only=True)
class Graph:
    """Tensors and operations of one forward pass.

    Parameters
    ----------
    dim : int
        Number of spatial axes.
    channels, voxels : list of int
        Size of each tensor, per sample.
    ops : list of Op
        In the order of the forward pass.
    logits : list of int
        Tensors of the outputs, finest first.
    unused : int
        Parameters of layers that no output needs.
    full : bool
        All outputs have losses, and all the same resolution.
    late : bool
        Logits of the finest head can be made some at a time.
    wide : set of int
        Tensors that are float32 whatever the precision: learned positions are, and so
        is what they are added to, and norms of that.
    """

    dim: int
    channels: list[int]
    voxels: list[int]
    ops: list[Op] = field(default_factory=list)
    logits: list[int] = field(default_factory=list)
    unused: int = 0
    full: bool = False
    late: bool = True
    wide: set[int] = field(default_factory=set)

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(op.parameters for op in self.ops) + self.unused

    def elements(self, tensor: int) -> int:
        """Return the elements of a tensor, per sample."""
        return self.channels[tensor] * self.voxels[tensor]


def build_graph(
    network: str,
    options: Mapping[str, Any],
    patch_size: Sequence[int],
    *,
    in_channels: int,
    out_channels: int,
    levels: int | None = None,
    recompute: bool = False,
    predicts: bool = False,
) -> Graph:
    """Return the forward pass of a network.

    Parameters
    ----------
    network : str
        A declared network, a file in ``autoseg/networks``.
    options : mapping
        The network's options in the plan.
    patch_size : sequence of int, length D
        Spatial shape of the input.
    in_channels, out_channels : int
        Channels of the image, and of all heads together.
    levels : int, optional
        How many levels of the decoder have outputs; by default all of them, as deep
        supervision needs.
    recompute : bool
        The backward pass makes again what it can (`autoseg.blueprints.backward`).
    predicts : bool
        Say of each operation what is alive; in a training autograd decides.

    Returns
    -------
    Graph
        For one sample.

    Raises
    ------
    PlanError
        If the network is not declared, or has no such options.
    """
    kind = declared(network)
    drawing = kind.drawing(options, patch_size, in_channels, out_channels)
    heads = drawing.finest_first()[:levels]
    wanted = [head.logits for head in heads]
    full = kind.supervision == "full"
    graph = _graph(drawing, wanted, full, recompute, predicts)
    graph.late = heads[0].late
    return graph


def _graph(
    drawing: Drawing,
    wanted: Sequence[int],
    full: bool,
    recompute: bool,
    predicts: bool,
) -> Graph:
    layers = drawing.needed(wanted)
    in_place = drawing.overwrites(layers)
    memory = list(range(len(drawing.tensors)))  # of each tensor
    for place, layer in enumerate(layers):
        if place in in_place or layer.kind in VIEWS:
            memory[layer.outputs[0]] = memory[layer.inputs[0]]
    graph = Graph(
        dim=drawing.dim,
        channels=[x.channels for x in drawing.tensors],
        voxels=[x.voxels for x in drawing.tensors],
        logits=[memory[number] for number in wanted],
        full=full,
    )
    normalized = {
        memory[layer.outputs[0]]
        for layer in layers
        if layer.kind == "norm" and layer.options["norm"] == "instance"
    }
    views = {layer.outputs[0] for layer in layers if layer.kind in VIEWS}
    alive = _alive(drawing, layers, wanted, memory) if predicts else None
    graph.wide = _wide(layers, memory)
    ways = Ways(drawing, layers, wanted, memory) if recompute else None
    for place, layer in enumerate(layers):
        kept = needs(drawing, layer, place in in_place)
        output, keeps = memory[layer.outputs[0]], layer.keeps or Keeps()
        graph.ops.append(
            Op(
                kind=KINDS.get(layer.kind, layer.kind),
                inputs=tuple(memory[n] for n in _differentiable(layer)),
                output=output,
                saved=tuple(dict.fromkeys(memory[n] for n in kept))
                if ways is None
                else ways.roots(kept),
                again=() if ways is None else ways.made(layer, kept),
                alive=() if alive is None else alive[place],
                weights=layer.weights,
                parameters=layer.parameters,
                statistics=_statistics(graph, layer),
                numbers=keeps.numbers,
                moment=(keeps.forward, keeps.backward),
                multiply_adds=layer.multiply_adds,
                copies=_copies(layer, output in normalized and place in in_place),
                pointwise=max(layer.options.get("kernel", (0,))) == 1,
                fresh=layer.options.get("standardized", False),
                in_order=layer.inputs[0] in views,
            )
        )
    graph.unused = drawing.parameters - sum(op.parameters for op in graph.ops)
    return graph


def _wide(layers: Sequence[Layer], memory: Sequence[int]) -> set[int]:
    """Return the memories that are float32 whatever the precision.

    A sum or a stack is as precise as its most precise part, and an activation as what
    it is given. The image comes in float32, and only convolutions round it.
    """
    wide: set[int] = set()
    for layer in layers:
        inputs = {memory[n] for n in layer.read}
        exact = bool(inputs & wide)
        if layer.kind in ("add", "cat"):
            exact |= 0 in inputs
        elif layer.kind == "norm":
            exact &= layer.options["norm"] == "layer"
        elif layer.kind != "position":
            exact &= layer.kind == "act"
        if exact or layer.kind == "position":
            wide.add(memory[layer.outputs[0]])
    return wide


def _differentiable(layer: Layer) -> tuple[int, ...]:
    """Return the inputs that get a gradient: places of maxima do not."""
    return layer.read[:1] if layer.kind == "unpool" else layer.read


def _statistics(graph: Graph, layer: Layer) -> int:
    """Return the elements of float32 that the backward pass needs besides."""
    if layer.keeps is not None:
        return layer.keeps.floats
    kind, source, output = layer.kind, layer.inputs[0], layer.outputs[0]
    if kind == "max_pool" or layer.options.get("pool") == "largest":
        return INDEX * graph.elements(output)
    if kind == "affinity":  # the map of all tokens by all
        return int(graph.voxels[output] ** 2)
    if kind == "over_channels":  # where the largest is
        return INDEX * graph.voxels[output]
    if kind == "attention":
        return int(layer.options["heads"]) * graph.voxels[output]
    if kind != "norm":
        return 0
    norm = layer.options["norm"]
    if norm == "instance":  # mean and deviation; its scale is repeated for each sample
        return 3 * graph.channels[source]
    if norm == "group":
        return 2 * int(layer.options["groups"])
    return 2 * graph.voxels[source] if norm == "layer" else 0


def _copies(layer: Layer, undone: bool) -> int:
    """Return how many copies of the output's size a gradient needs for a moment."""
    if layer.kind == "act" and undone:
        # The norm's result is a view, and what changes a view in place is undone in a
        # copy of the whole and a copy of the part.
        return 2
    # Half of a stacked gradient is copied to one piece; a gate's own is a sum over
    # channels of a product.
    return 1 if layer.kind in ("deconv", "gate") else 0


def _alive(
    drawing: Drawing, layers: Sequence[Layer], wanted: Sequence[int], memory: list[int]
) -> list[tuple[int, ...]]:
    """Return the tensors that are there while each layer is computed."""
    last = {memory[n]: i for i, layer in enumerate(layers) for n in layer.read}
    last.update((memory[n], len(layers)) for n in wanted)
    there: set[int] = set()
    found = []
    for place, layer in enumerate(layers):
        there |= {memory[n] for n in layer.outputs}
        there |= {memory[n] for n in layer.read}
        found.append(tuple(sorted(there)))
        there = {number for number in there if last.get(number, -1) > place}
    return found
