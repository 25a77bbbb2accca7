"""What a training keeps of a drawing for its backward pass, and what it makes again.

A block of convolution, norm and activation would keep two feature maps: what the norm
is given, and what the next convolution is given. The second follows from the first by
a pass over its numbers, so one is enough. The same holds for sums and stacks of what is
there. torch (`autoseg.blueprints.modules.module`) and planners both read it from here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.tensors import Layer

# A pass over the numbers, beside which a convolution takes many times as long.
CHEAP = ("norm", "act", "add", "cat", "gate")
# What an activation needs for its gradient, if it does not work in place.
NEED_OUTPUT = ("relu", "sigmoid")
# Layers whose gradient needs sizes alone.
NEED_NOTHING = frozenset(
    "add cat grid mean over_channels position resize tokens unpool".split()
)


def fills(shape: Sequence[int], stride: Sequence[int]) -> bool:
    """Return whether blocks with edges of powers of two fill a shape S.

    The gradient of their averages needs no numbers; torch's own keeps the input.
    """
    blocks = zip(shape, stride, strict=True)
    return all(step & (step - 1) == 0 and n % step == 0 for n, step in blocks)


def needs(drawing: Drawing, layer: Layer, in_place: bool) -> tuple[int, ...]:
    """Return the tensors whose numbers the gradient of a layer needs.

    Parameters
    ----------
    drawing : Drawing
        Has the sizes.
    layer : Layer
        Of the drawing.
    in_place : bool
        It overwrites its input (`Drawing.overwrites`).
    """
    if layer.keeps is not None:
        return layer.keeps.tensors
    kind, source, output = layer.kind, layer.inputs[:1], layer.outputs[:1]
    if kind == "act":
        keep_output = in_place or layer.options["act"] in NEED_OUTPUT
        return output if keep_output else source
    if kind in ("gate", "affinity"):
        return layer.inputs
    if kind == "attention":
        return source + output
    if kind == "avg_pool" and fills(
        drawing.tensors[source[0]].shape, layer.options["stride"]
    ):
        return ()
    return () if kind in NEED_NOTHING else source


def made_again(
    drawing: Drawing, layers: Sequence[Layer], wanted: Collection[int]
) -> set[int]:
    """Return the tensors that are made again in the backward pass, and not kept.

    Each is made by a cheap layer of tensors that are kept anyway, of others that are
    made again, or of tensors that are smaller than itself and kept instead.

    Parameters
    ----------
    drawing : Drawing
        Has the sizes.
    layers : sequence of Layer
        Of the forward pass, in its order.
    wanted : collection of int
        Tensors of the outputs, which others hold.
    """
    in_place = drawing.overwrites(layers)
    needed = {
        n
        for place, layer in enumerate(layers)
        for n in needs(drawing, layer, place in in_place)
    }
    there = {0, *wanted, *needed}
    again: set[int] = set()

    def size(numbers: Collection[int]) -> int:
        found = [drawing.tensors[number] for number in numbers]
        return sum(x.channels * x.voxels for x in found)

    for place, layer in enumerate(layers):
        made = layer.outputs[0]
        if layer.kind not in CHEAP or made in wanted:
            continue
        lacking = set(layer.read) - there - again
        if lacking and (
            made not in needed or place in in_place or size(lacking) >= size({made})
        ):
            continue
        there |= lacking
        again.add(made)
    return again
