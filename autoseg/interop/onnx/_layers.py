"""What each layer of a drawing is in ONNX.

Shapes are taken from the drawing only where `shape_counts` says so. All else works on
any that the network can divide.

Legend: B batch, C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autoseg.blueprints.drawing import Drawing, Layer
from autoseg.interop.onnx._convolutions import conv, deconv, weights_of
from autoseg.interop.onnx._sheet import Sheet

# What is one operation of ONNX without numbers of its own.
ACTIVATIONS = {
    "relu": "Relu",
    "elu": "Elu",
    "sigmoid": "Sigmoid",
    "hard_swish": "HardSwish",
}
Writer = Callable[[Sheet, Drawing, Layer, list[str]], "str | list[str]"]


def _norm(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    options, x = layer.options, inputs[0]
    channels = drawing.tensors[layer.inputs[0]].channels
    kind, eps = options["norm"], options["eps"]
    if options["affine"]:
        scale, shift = (sheet.learned(f"{layer.name}.{n}") for n in ("weight", "bias"))
    else:
        scale, shift = (
            sheet.constant(np.ones(channels)),
            sheet.constant([0.0] * channels),
        )
    if kind == "layer":
        return str(
            sheet.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=eps)
        )
    if kind == "batch":
        seen = [sheet.learned(f"{layer.name}.running_{n}") for n in ("mean", "var")]
        return str(sheet.add("BatchNormalization", x, scale, shift, *seen, epsilon=eps))
    if kind == "instance" or options["groups"] == channels:
        return str(sheet.add("InstanceNormalization", x, scale, shift, epsilon=eps))
    groups = options["groups"]
    one, zero = sheet.constant(np.ones(groups)), sheet.constant([0.0] * groups)
    joined = sheet.add("Reshape", x, sheet.whole([0, groups, -1]))
    joined = sheet.add("InstanceNormalization", joined, one, zero, epsilon=eps)
    x = sheet.add("Reshape", joined, sheet.shape(x, 0))
    wide = [1, channels, *[1] * drawing.dim]
    scale, shift = (sheet.add("Reshape", n, sheet.whole(wide)) for n in (scale, shift))
    return str(sheet.add("Add", sheet.add("Mul", x, scale), shift))


def _act(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    x, kind = inputs[0], layer.options["act"]
    if kind == "leaky":
        alpha = float(layer.options.get("slope", 0.01))
        return str(sheet.add("LeakyRelu", x, alpha=alpha))
    if kind == "gelu":
        inside = sheet.add("Mul", x, sheet.constant(math.sqrt(0.5)))
        share = sheet.add("Add", sheet.add("Erf", inside), sheet.constant(1.0))
        half = sheet.add("Mul", x, sheet.constant(0.5))
        return str(sheet.add("Mul", half, share))
    if kind == "silu":
        return str(sheet.add("Mul", x, sheet.add("Sigmoid", x)))
    if kind == "prelu":
        slope = sheet.learned(f"{layer.name}.weight")
        wide = sheet.whole([-1, *[1] * drawing.dim])
        return str(sheet.add("PRelu", x, sheet.add("Reshape", slope, wide)))
    if kind == "relu6":
        ends = sheet.constant(0.0), sheet.constant(6.0)
        return str(sheet.add("Clip", x, *ends))
    if kind == "hard_sigmoid":
        return str(sheet.add("HardSigmoid", x, alpha=1 / 6, beta=0.5))
    return str(sheet.add(ACTIVATIONS[kind], x))


def _add(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    total = inputs[0]
    for other in inputs[1:]:
        total = str(sheet.add("Add", total, other))
    return total


def _cat(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    return str(sheet.add("Concat", *inputs, axis=1))


def _gate(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    return str(sheet.add("Mul", *inputs))


def _max_pool(
    sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]
) -> list[str]:
    options, source = layer.options, drawing.tensors[layer.inputs[0]]
    kernel, stride = list(options["kernel"]), list(options["stride"])
    if options["fit"]:  # on the shape that is drawn; see `shape_counts`
        kernel = stride = list(map(min, kernel, source.shape))
    pads = list(options["padding"]) * 2
    found = sheet.add(
        "MaxPool",
        inputs[0],
        outputs=2,
        kernel_shape=kernel,
        strides=stride,
        pads=pads,
    )
    return list(found)


def _unpool(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    """Put each number where it was; with ScatterElements, which every runtime has.

    Places count through batch, channels and space, as those of MaxPool do.
    """
    x, places, like = inputs
    wide = drawing.tensors[layer.inputs[0]].channels
    shape = sheet.add(
        "Concat",
        sheet.shape(x, 0, 1),
        sheet.whole([wide]),
        sheet.shape(like, 2),
        axis=0,
    )
    size = sheet.add("ReduceProd", shape, keepdims=1)
    flat = sheet.add("ConstantOfShape", size)
    ones = sheet.whole([-1])
    index, values = (sheet.add("Reshape", name, ones) for name in (places, x))
    filled = sheet.add("ScatterElements", flat, index, values, axis=0)
    return str(sheet.add("Reshape", filled, shape))


def _avg_pool(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    stride = list(layer.options["stride"])
    return str(sheet.add("AveragePool", inputs[0], kernel_shape=stride, strides=stride))


def _mean(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    return str(sheet.add("GlobalAveragePool", inputs[0]))


def _resize(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    x, like = inputs
    sizes = sheet.add("Concat", sheet.shape(x, 0, 2), sheet.shape(like, 2), axis=0)
    how: dict[str, Any]
    if layer.options["mode"] == "nearest":
        how = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
    else:
        corners = layer.options["mode"] == "corners"
        at = "align_corners" if corners else "pytorch_half_pixel"
        how = {"mode": "linear", "coordinate_transformation_mode": at}
    return str(sheet.add("Resize", x, "", "", sizes, **how))


def _adaptive_pool(
    sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]
) -> str:
    """Pool each axis for itself: a block is a box, and its mean one of means."""
    x, options = inputs[0], layer.options
    kind = "ReduceMean" if options["pool"] == "average" else "ReduceMax"
    before = drawing.tensors[layer.inputs[0]].shape
    for axis, (edge, size) in enumerate(zip(before, options["size"], strict=True), 2):
        if size >= edge:
            continue
        parts = []
        for place in range(size):
            ends = place * edge // size, -(-(place + 1) * edge // size)
            part = sheet.add("Slice", x, *(sheet.whole([n]) for n in (*ends, axis)))
            parts.append(sheet.add(kind, part, axes=[axis], keepdims=1))
        x = str(sheet.add("Concat", *parts, axis=axis))
    return x


def _over_channels(
    sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]
) -> str:
    both = [
        sheet.add(kind, inputs[0], axes=[1], keepdims=1)
        for kind in ("ReduceMean", "ReduceMax")
    ]
    return str(sheet.add("Concat", *both, axis=1))


# Tokens -------------------------------------------------------------------------------


def _tokens(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    rows = sheet.add("Reshape", inputs[0], sheet.whole([0, 0, -1]))
    return str(sheet.add("Transpose", rows, perm=[0, 2, 1]))


def _grid(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    x, like = inputs
    columns = sheet.add("Transpose", x, perm=[0, 2, 1])
    shape = sheet.add("Concat", sheet.whole([0, 0]), sheet.shape(like, 2), axis=0)
    return str(sheet.add("Reshape", columns, shape))


def _linear(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    weight, *bias = weights_of(sheet, layer)
    turned = sheet.add("Transpose", weight, perm=[1, 0])
    found = sheet.add("MatMul", inputs[0], turned)
    return str(sheet.add("Add", found, bias[0])) if bias else str(found)


def _position(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    return str(sheet.add("Add", inputs[0], sheet.learned(f"{layer.name}.weight")))


def _attention(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    heads = layer.options["heads"]
    channels = drawing.tensors[layer.outputs[0]].channels
    each = channels // heads
    parts = sheet.add("Reshape", inputs[0], sheet.whole([0, 0, 3, heads, each]))
    parts = sheet.add("Transpose", parts, perm=[2, 0, 3, 1, 4])
    query, key, value = (
        sheet.add("Gather", parts, sheet.constant(part, np.int64), axis=0)
        for part in range(3)
    )
    query = sheet.add("Mul", query, sheet.constant(each**-0.5))
    key = sheet.add("Transpose", key, perm=[0, 1, 3, 2])
    seen = sheet.add("Softmax", sheet.add("MatMul", query, key), axis=-1)
    found = sheet.add("Transpose", sheet.add("MatMul", seen, value), perm=[0, 2, 1, 3])
    return str(sheet.add("Reshape", found, sheet.whole([0, 0, channels])))


def _affinity(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    query, key, value = inputs
    turned = sheet.add("Transpose", key, perm=[0, 2, 1])
    products = sheet.add("MatMul", query, turned)
    row = sheet.add("Reshape", products, sheet.whole([0, -1]))
    seen = sheet.add("Softmax", row, axis=1)
    square = sheet.add("Reshape", seen, sheet.shape(products, 0))
    return str(sheet.add("MatMul", square, value))


def shape_counts(layer: Layer) -> bool:
    """Return whether what is written for a layer is for the drawn shape alone."""
    return layer.kind == "adaptive_pool" or bool(layer.options.get("fit"))


WRITERS: dict[str, Writer] = {
    "conv": conv,
    "head": conv,
    "deconv": deconv,
    "norm": _norm,
    "act": _act,
    "add": _add,
    "cat": _cat,
    "gate": _gate,
    "max_pool": _max_pool,
    "unpool": _unpool,
    "avg_pool": _avg_pool,
    "mean": _mean,
    "adaptive_pool": _adaptive_pool,
    "over_channels": _over_channels,
    "affinity": _affinity,
    "resize": _resize,
    "tokens": _tokens,
    "grid": _grid,
    "linear": _linear,
    "position": _position,
    "attention": _attention,
}
