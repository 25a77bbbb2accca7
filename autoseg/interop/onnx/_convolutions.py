"""Convolutions in ONNX, also those of volumes as convolutions of their planes.

Legend: B batch, C channels, K channels made, Z Y X axes of space.
"""

from __future__ import annotations

import math

import numpy as np

from autoseg.blueprints.drawing import Drawing, Layer
from autoseg.interop.onnx._sheet import Array, Sheet

BLOCK = 8  # channels: of fewer, a convolution of planes is no faster
LEAST = 1e-5  # torch adds it to a variance


def conv(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    """Write a convolution, of a volume plane by plane where that is wanted."""
    options = layer.options
    wide = drawing.tensors[layer.inputs[0]].channels
    plane = drawing.dim == 3 and math.prod(options["kernel"][1:]) > 1
    if sheet.planes and plane and options["groups"] == 1 and wide >= BLOCK:
        return _by_planes(sheet, layer, inputs[0], wide)
    return str(
        sheet.add(
            "Conv",
            inputs[0],
            *weights_of(sheet, layer),
            kernel_shape=list(options["kernel"]),
            strides=list(options["stride"]),
            pads=list(options["padding"]) * 2,
            dilations=list(options["dilation"]),
            group=options["groups"],
        )
    )


def _by_planes(sheet: Sheet, layer: Layer, x: str, wide: int) -> str:
    """Write a convolution of a volume as one of its planes, which become the batch.

    The planes that a kernel sees along z are joined as channels.
    """
    options = layer.options
    kernel, stride, padding, dilation = (
        list(options[key]) for key in ("kernel", "stride", "padding", "dilation")
    )
    reach = dilation[0] * (kernel[0] - 1)
    x = sheet.add("Transpose", x, perm=[0, 2, 1, 3, 4])
    if padding[0]:
        edges = [0, padding[0], 0, 0, 0] * 2
        x = sheet.add("Pad", x, sheet.whole(edges))
    if (
        kernel[0] > 1 or stride[0] > 1
    ):  # (B, Z', kernel, C, Y, X): one copy, whole planes
        ends = sheet.constant(0, np.int64), sheet.constant(stride[0], np.int64)
        size = sheet.add("Sub", sheet.shape(x, 1, 2), sheet.whole([reach]))
        until = sheet.add("Squeeze", size, sheet.whole([0]))
        firsts = sheet.add("Range", ends[0], until, ends[1])
        rows = sheet.add("Reshape", firsts, sheet.whole([-1, 1]))
        taps = sheet.whole([[dilation[0] * place for place in range(kernel[0])]])
        x = sheet.add("Gather", x, sheet.add("Add", rows, taps), axis=1)
    joined = sheet.whole([-1, wide * kernel[0]])
    flat = sheet.add("Concat", joined, sheet.shape(x, -2), axis=0)
    weight = _kernel(sheet, layer)  # (K, C, Z, Y, X)
    turned = np.moveaxis(weight, 2, 1).reshape(len(weight), -1, *weight.shape[3:])
    bias = [sheet.learned(f"{layer.name}.bias")] if options["bias"] else []
    found = sheet.add(
        "Conv",
        sheet.add("Reshape", x, flat),
        sheet.constant(turned),
        *bias,
        kernel_shape=kernel[1:],
        strides=stride[1:],
        pads=padding[1:] * 2,
        dilations=dilation[1:],
    )
    deep = sheet.add(
        "Concat",
        sheet.shape(x, 0, 2),
        sheet.whole([len(weight)]),
        sheet.shape(found, 2),
        axis=0,
    )
    apart = sheet.add("Reshape", found, deep)
    return str(sheet.add("Transpose", apart, perm=[0, 2, 1, 3, 4]))


def deconv(sheet: Sheet, drawing: Drawing, layer: Layer, inputs: list[str]) -> str:
    """Write a transposed convolution."""
    options, dim = layer.options, drawing.dim
    large = sheet.add(
        "ConvTranspose",
        inputs[0],
        *weights_of(sheet, layer),
        kernel_shape=list(options["kernel"]),
        strides=list(options["stride"]),
        pads=list(options["padding"]) * 2,
        group=options["groups"],
    )
    if any(options["front"]):
        front = [0, 0, *options["front"], *[0] * (2 + dim)]
        large = sheet.add("Pad", large, sheet.whole(front))
    return str(large)


def weights_of(sheet: Sheet, layer: Layer) -> list[str]:
    """Return the names of kernels and, if there is one, bias in the graph."""
    if layer.options.get("standardized"):
        return [sheet.constant(_kernel(sheet, layer))]
    names = ["weight", "bias"] if layer.options["bias"] else ["weight"]
    return [sheet.learned(f"{layer.name}.{name}") for name in names]


def _kernel(sheet: Sheet, layer: Layer) -> Array:
    """Return the kernels that a convolution has, shape (K, C, *kernel)."""
    weight = sheet.weights[f"{layer.name}.weight"]
    if not layer.options.get("standardized"):
        return weight
    each = tuple(range(1, weight.ndim))
    centered = weight - weight.mean(each, keepdims=True)
    return np.asarray(centered / np.sqrt(weight.var(each, keepdims=True) + LEAST))
