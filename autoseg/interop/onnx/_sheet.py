"""Nodes and constants of an ONNX graph, while it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Sheet:
    """Collects what an ONNX graph is made of.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Learned numbers by the name of their layer, as in a state dictionary.
    planes : bool
        Volumes are convolved plane by plane, which onnxruntime has faster code for.
    """

    def __init__(self, weights: Mapping[str, Array], planes: bool = False) -> None:
        self.weights, self.planes = weights, planes
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self._count = 0

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Write a node; return the name of its output, or names if there are more."""
        from onnx import helper

        names = []
        for _ in range(outputs):
            self._count += 1
            names.append(f"{kind}_{self._count}")
        node = helper.make_node(kind, list(inputs), names, name=names[0], **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def learned(self, name: str) -> str:
        """Return the name of learned numbers in the graph."""
        self.constants[name] = np.ascontiguousarray(self.weights[name], np.float32)
        return name

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        """Return the name of a constant."""
        self._count += 1
        name = f"constant_{self._count}"
        self.constants[name] = np.asarray(values, kind)
        return name

    def whole(self, values: Any) -> str:
        """Return the name of constant whole numbers, such as a shape."""
        return self.constant(values, np.int64)

    def shape(self, x: str, start: int, end: int | None = None) -> str:
        """Return some edges of a tensor, known when the network runs."""
        more = {} if end is None else {"end": end}
        return str(self.add("Shape", x, start=start, **more))
