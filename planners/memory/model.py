"""Peak memory of a training step and of a window, in bytes, by arithmetic.

The step is walked through as PyTorch's autograd does it: the forward pass keeps what
the backward pass needs, the losses add their maps, the backward pass frees layer by
layer while gradients come and go, and the optimizer has temporary copies. The peak is
the largest sum over all moments, and `StepCost.peak` says what it is made of.

Counted is what the allocator hands out (``torch.cuda.max_memory_allocated``) without
``torch.compile``. `reserve` is what the device loses besides.
tests/planners/test_memory.py holds the numbers against autograd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planners.memory.graph import build_graph
from planners.memory.late import LateWalk
from planners.memory.measured import measured_walk
from planners.memory.walk import BYTES as BYTES
from planners.memory.walk import FLOAT, PARTS, Table, Walk, workspace
from planners.network import is_declared
from planners.setting import LossCost as LossCost
from planners.setting import Setting as Setting

GIB = 2**30
CONTEXT = 0.5 * GIB  # CUDA context and kernels of cuDNN and cuBLAS, measured by users
FRAGMENTATION = 0.04  # of the peak: blocks that the allocator cannot fill


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What a training step costs for any batch size.

    Parameters
    ----------
    parameters : int
        Learned numbers.
    multiply_adds : int
        Of the forward pass, per sample.
    first_multiply_adds : int
        Of the layers whose input is the image, which needs no gradient.
    saved_per_sample, saved_fixed : float
        Bytes that autograd keeps for the backward pass.
    per_sample, fixed : ndarray of float, shape (moments, parts)
        Bytes at each moment, by part; in total ``per_sample * batch + fixed``.
    """

    parameters: int
    multiply_adds: int
    first_multiply_adds: int
    saved_per_sample: float
    saved_fixed: float
    per_sample: Table
    fixed: Table

    def peak(self, batch_size: int) -> dict[str, float]:
        """Return the bytes of the worst moment, by part."""
        moments = self.per_sample * batch_size + self.fixed
        worst = moments[int(np.argmax(moments.sum(axis=1)))]
        return dict(zip(PARTS, worst.tolist(), strict=True))

    def total(self, batch_size: int) -> float:
        """Return the bytes of the worst moment."""
        per, fixed = self.per_sample.sum(axis=1), self.fixed.sum(axis=1)
        return float((per * batch_size + fixed).max())

    def saved(self, batch_size: int) -> float:
        """Return the bytes that autograd keeps for the backward pass."""
        return self.saved_per_sample * batch_size + self.saved_fixed

    def operations(self, batch_size: int) -> int:
        """Return additions and multiplications of forward and backward pass."""
        # Each gradient, of the input and of the weights, costs as much as the forward.
        passes = 3 * self.multiply_adds - self.first_multiply_adds
        return 2 * passes * batch_size


def step_cost(
    network: str,
    options: Mapping[str, Any],
    patch_size: Sequence[int],
    *,
    in_channels: int,
    heads: Sequence[LossCost],
    setting: Setting = Setting(),  # noqa: B008 - frozen
) -> StepCost:
    """Return what a training step costs.

    Parameters
    ----------
    network : str
        A network; one that is written in torch is measured.
    options : mapping
        The network's options in the plan.
    patch_size : sequence of int, length D
        The patch.
    in_channels : int
        Channels of the image, in a cascade with those of the previous stage.
    heads : sequence of LossCost
        The outputs.
    setting : Setting
        Precision, optimizer, device.

    Returns
    -------
    StepCost
        For any batch size.

    Raises
    ------
    PlanError
        If the network is not declared, and cannot be measured.
    """
    late = any(head.points for head in heads)
    walk: Walk
    if is_declared(network):
        graph = build_graph(
            network,
            options,
            patch_size,
            in_channels=in_channels,
            out_channels=sum(head.channels for head in heads),
            levels=None if setting.deep_supervision and not late else 1,
            recompute=setting.makes_again,
        )
        late = late and graph.late
        walk = LateWalk(graph, heads, setting) if late else Walk(graph, heads, setting)
        first = [op for op in graph.ops if op.inputs == (0,)]
    else:
        walk = measured_walk(
            network,
            options,
            patch_size,
            in_channels=in_channels,
            heads=heads,
            setting=setting,
        )
        graph, first = walk.graph, []  # which layers see the image is not known
    per_sample, fixed = walk.run()
    return StepCost(
        parameters=walk.parameters,
        multiply_adds=sum(op.multiply_adds for op in graph.ops),
        first_multiply_adds=sum(op.multiply_adds for op in first),
        saved_per_sample=walk.saved_per_sample,
        saved_fixed=walk.saved_fixed,
        per_sample=per_sample,
        fixed=fixed,
    )


def reserve(peak: float, setting: Setting) -> float:
    """Return the bytes that a device loses beside what the allocator hands out."""
    if setting.device != "cuda":
        return 0.0
    return CONTEXT + FRAGMENTATION * peak


def inference_bytes(
    network: str,
    options: Mapping[str, Any],
    patch_size: Sequence[int],
    *,
    in_channels: int,
    out_channels: int,
    setting: Setting = Setting(),  # noqa: B008 - frozen
) -> tuple[float, float]:
    """Return the peak bytes of the network on one window.

    Parameters
    ----------
    network, options, patch_size
        As for `step_cost`.
    in_channels, out_channels : int
        Channels of the image, and of all heads together.
    setting : Setting
        Precision and device.

    Returns
    -------
    per_window, fixed : float
        In total ``per_window * windows + fixed``.
    """
    graph = build_graph(
        network,
        options,
        patch_size,
        in_channels=in_channels,
        out_channels=out_channels,
        levels=1,
        predicts=True,
    )
    e = BYTES[setting.precision]
    low = e != FLOAT
    worst = 0.0
    for op in graph.ops:
        size = e * sum(graph.elements(tensor) for tensor in op.alive if tensor)
        worst = max(worst, size + workspace(graph, op, setting, backward=False))
    image = graph.elements(0) * (FLOAT + (e if low else 0))
    weights = FLOAT * graph.parameters
    copies = e * sum(op.weights for op in graph.ops) if low else 0
    return float(worst + image), float(weights + copies)
