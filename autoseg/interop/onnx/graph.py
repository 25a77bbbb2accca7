"""A drawing with its weights as an ONNX model; nothing is traced, and no torch needed.

Legend: B batch, C channels, K channels of all heads, S spatial shape, D number of axes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing
from autoseg.errors import UsageError
from autoseg.interop.onnx._layers import WRITERS, shape_counts
from autoseg.interop.onnx._sheet import Array, Sheet

OPSET = 17  # with which layer norm came; read by onnxruntime 1.12 and OpenVINO 2022.3
IR = 8  # of the file, as old as that
AXES = "zyx"


def has_onnx() -> bool:
    """Return whether the package onnx can be imported, without importing it."""
    return importlib.util.find_spec("onnx") is not None


def to_onnx(
    drawing: Drawing,
    weights: Mapping[str, Array],
    fixed: bool,
    planes: bool = False,
) -> Any:
    """Return a network as an ONNX model, from ``image`` to ``logits``.

    Parameters
    ----------
    drawing : Drawing
        What is computed; the finest head is the output.
    weights : mapping of str to ndarray
        As in the state dictionary of the module that is made of the drawing.
    fixed : bool
        The network works on images of the drawing's shape only; others take any that
        they can divide, but for some pools. The batch may have any size.
    planes : bool
        Volumes are convolved plane by plane: the same sums in another order, for which
        onnxruntime has faster code.

    Returns
    -------
    onnx.ModelProto
        From float32 (B, C, *S) to float32 (B, K, *S).

    Raises
    ------
    UsageError
        If the package onnx is missing, or a kind of layer cannot be written.
    """
    if not has_onnx():
        raise UsageError("ONNX needs the package onnx: pip install autoseg[onnx].")
    from onnx import TensorProto, checker, helper, numpy_helper

    finest = drawing.finest_first()[0].logits
    sheet = Sheet(weights, planes)
    names = {0: "image"}
    kinds = unwritten(drawing)
    if kinds:
        raise UsageError(
            f"No ONNX is written for layers of the kind {', '.join(kinds)} yet; there "
            f"is for {', '.join(WRITERS)}. `--format openvino` takes all networks that "
            "are drawn, and `autoseg export -o FILE.zip` any."
        )
    for layer in drawing.needed((finest,)):
        write = WRITERS[layer.kind]
        made = write(sheet, drawing, layer, [names[n] for n in layer.inputs])
        made = [made] if isinstance(made, str) else made
        names.update(zip(layer.outputs, made, strict=True))
    sheet.nodes.append(helper.make_node("Identity", [names[finest]], ["logits"]))
    shape: Sequence[Any] = drawing.image.shape
    if not is_for_one_shape(drawing, fixed):
        shape = AXES[-drawing.dim :]
    graph = helper.make_graph(
        sheet.nodes,
        "network",
        [_value("image", drawing.image.channels, shape, TensorProto.FLOAT)],
        [_value("logits", drawing.outputs, shape, TensorProto.FLOAT)],
        [numpy_helper.from_array(v, name) for name, v in sheet.constants.items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opset, ir_version=IR, producer_name="autoseg"
    )
    checker.check_model(model)
    return model


def unwritten(drawing: Drawing) -> list[str]:
    """Return the kinds of layers that no ONNX is written for yet."""
    layers = drawing.needed((drawing.finest_first()[0].logits,))
    return sorted({layer.kind for layer in layers} - set(WRITERS))


def is_for_one_shape(drawing: Drawing, fixed: bool) -> bool:
    """Return whether what is written takes images of the drawn shape only."""
    layers = drawing.needed((drawing.finest_first()[0].logits,))
    return fixed or any(map(shape_counts, layers))


def _value(name: str, channels: int, shape: Sequence[Any], kind: Any) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, ["batch", channels, *shape])
