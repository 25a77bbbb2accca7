"""Walk through a training step, and note the bytes at each moment.

What autograd keeps, when a gradient comes and goes, and what the losses need is that of
PyTorch's operations in eager mode; see `planners.memory.model`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planners.memory.gradients import Gradients
from planners.memory.graph import Graph, Op
from planners.memory.losses import LABEL_MAPS
from planners.memory.made import Made
from planners.memory.reading import Readings
from planners.setting import LossCost, Setting

FLOAT = 4  # bytes of float32: weights, optimizer, losses, statistics
LABEL = 2  # int16
FEW = 4  # channels for which oneDNN has kernels of their own
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
STATES = {"sgd": 1, "adamw": 2}  # copies of the weights that an optimizer keeps
PARTS = (
    "weights",
    "optimizer",
    "gradients",
    "activations",
    "loss",
    "backward",
    "workspace",
    "data",
)
# Their gradient is the one they are given, or a part of it.
PASSED_ON = ("add", "cat", "grid", "position")
# What autocast rounds in front of, each layer for itself.
ROUNDING = ("conv", "up", "head", "linear", "steps")
Table = NDArray[np.float64]


class Walk:
    """Goes through one step and notes the bytes at each moment.

    Parameters
    ----------
    graph : Graph
        The forward pass.
    heads : sequence of LossCost
        The outputs.
    setting : Setting
        Precision, optimizer, device.

    Attributes
    ----------
    saved_per_sample, saved_fixed : float
        Bytes that autograd keeps for the backward pass.
    """

    def __init__(
        self, graph: Graph, heads: Sequence[LossCost], setting: Setting
    ) -> None:
        self.graph, self.setting = graph, setting
        self.heads = [head for head in heads if head.reader is None]
        self.readings = Readings.of(heads)
        self.e = BYTES[setting.precision]
        self.parameters = graph.parameters + self.readings.parameters(graph.dim)
        self.held: Made | None = None  # made again, and there until another is
        active = len(graph.logits)
        # No loss is behind the coarsest of several resolutions, unless it is read.
        fewer = active > 1 and not (graph.full or self.readings)
        self.levels = graph.logits[: active - fewer]
        self.moments: list[tuple[float, ...]] = []
        self.gradients = 0.0  # of weights, so far
        image = graph.elements(0)
        self.data = image * FLOAT + graph.voxels[0] * LABEL
        self._end_of_forward()
        self.saved_fixed = self.copies
        self.saved_per_sample = (
            self.kept
            + sum(map(self._saved_by_loss, self.levels))
            + (image * FLOAT if self.e == FLOAT else 0)
            + graph.voxels[0] * LABEL
        )

    def _end_of_forward(self) -> None:
        self.ops = self._trained()
        self.savers: dict[int, int] = {}
        for op in self.ops:
            for tensor in self._held(op):
                self.savers[tensor] = self.savers.get(tensor, 0) + 1
        self.kept = sum(map(self._bytes, self.savers))
        self.kept += sum(map(self._aside, self.ops))
        self.kept += self.readings.kept(self.graph, self.levels)
        self.copies = 0.0  # of weights, in the precision of the feature maps
        if self.e != FLOAT:
            self.copies = self.e * sum(op.weights for op in self.ops)
        else:
            self.copies = self.e * sum(op.weights for op in self.ops if op.fresh)

    def _trained(self) -> list[Op]:
        """Return the operations that have a backward pass."""
        unused = set(self.graph.logits) - set(self.levels)
        return [op for op in self.graph.ops if op.output not in unused]

    def _rounds(self, op: Op) -> bool:
        """Return whether a layer keeps a rounded copy of its own of what it reads."""
        low = self.e != FLOAT and op.inputs[0] in self.graph.wide
        return low and op.kind in ROUNDING

    def _raises(self, op: Op) -> bool:
        """Return whether a layer keeps a float32 copy of its own of what it reads.

        Autocast has pools of volumes compute in float32 on a CPU, and not on a GPU.
        """
        low = self.e != FLOAT and self.setting.device == "cpu"
        return low and self.graph.dim == 3 and op.kind == "adaptive_pool"

    def _held(self, op: Op) -> tuple[int, ...]:
        """Return the tensors that a layer keeps, copies of its own left out."""
        return () if self._rounds(op) or self._raises(op) else op.saved

    def _bytes(self, tensor: int) -> float:
        if tensor == 0 and self.e == FLOAT:
            return 0.0  # the image is counted as data
        if tensor in self.graph.wide:
            return float(FLOAT * self.graph.elements(tensor))
        return float(self.e * self.graph.elements(tensor))

    def _aside(self, op: Op) -> float:
        """Return what an operation keeps for itself alone."""
        numbers, floats = op.numbers, op.statistics
        if self._rounds(op):
            numbers += sum(map(self.graph.elements, op.saved))
        elif self._raises(op):
            floats += sum(map(self.graph.elements, op.saved))
        return float(FLOAT * floats + self.e * numbers)

    def run(self) -> tuple[Table, Table]:
        """Return the bytes at each moment by part: for each sample, and fixed."""
        self._losses()
        self._backward()
        return self._table()

    def _note(
        self, *, loss: float = 0, backward: float = 0, workspace: float = 0
    ) -> None:
        """Note a moment during the pass: four parts per sample, two that are fixed."""
        self.moments.append(
            (self.kept, loss, backward, workspace, self.copies, self.gradients)
        )

    def _table(self) -> tuple[Table, Table]:
        """Return the bytes of all moments by part, per sample and fixed."""
        noted = np.array(self.moments)
        weights = float(FLOAT * self.parameters)
        states = weights * STATES[self.setting.optimizer]
        per = np.zeros((len(noted), len(PARTS)))
        per[:, 3:7] = noted[:, :4]
        per[:, 7] = self.data
        fixed = np.zeros_like(per)
        fixed[:, 0] = weights + noted[:, 4]
        fixed[:, 1] = states
        fixed[:, 2] = noted[:, 5]
        # Between two steps: the optimizer, and the next batch is augmented.
        together = weights if self.setting.device == "cuda" else 0.0
        one = 0.0
        if self.setting.augmentation:
            one = augmentation_bytes(self.graph.channels[0], self.graph.voxels[0])
        between = np.zeros((2, len(PARTS)))
        between[:, :3] = weights, states, weights
        between[:, 6:] = (together, 0), (0, one)
        data = np.zeros((2, len(PARTS)))
        data[:, 7] = self.data
        return np.vstack([per, data]), np.vstack([fixed, between])

    # Losses -------------------------------------------------------------------------

    def _logits(self, level: int) -> float:
        return float(self.e * self.graph.elements(level))

    def _saved_by_loss(self, level: int) -> float:
        voxels = self.graph.voxels[level]
        low = self.e != FLOAT
        found, logits = 0.0, False
        for head in self.heads:
            if head.loss == "dice_ce" and not low:
                found += FLOAT * head.channels * voxels  # probabilities
            else:
                logits = True
            if head.loss in LABEL_MAPS:
                found += LABEL_MAPS[head.loss].saved * FLOAT * head.channels * voxels
            elif head.loss not in ("dice_ce", "dice_bce"):
                found += 2 * FLOAT * head.channels * voxels  # target and difference
        return found + (self._logits(level) if logits else 0.0)

    def _losses(self) -> None:
        """Forward, finest level first; backward, coarsest level first."""
        logits = sum(map(self._logits, self.graph.logits))
        done = read = self.readings.loss(self.graph, self.levels)
        for level in self.levels:
            self._note(loss=logits + done + self._loss_forward(level))
            done += self._saved_by_loss(level) - self._kept_logits(level)
        waiting = {level: self._saved_by_loss(level) for level in self.levels}
        gradients = 0.0
        for level in reversed(self.levels):
            inside = self._loss_backward(level)
            self._note(loss=read + sum(waiting.values()) + gradients + inside)
            del waiting[level]
            gradients += self._logits(level)

    def _kept_logits(self, level: int) -> float:
        """Return what the loss keeps of logits that are counted already."""
        labels_only = all(head.loss == "dice_ce" for head in self.heads)
        return 0.0 if labels_only and self.e == FLOAT else self._logits(level)

    def _loss_forward(self, level: int) -> float:
        voxels, worst = self.graph.voxels[level], 0.0
        for head in self.heads:
            maps = FLOAT * voxels
            full = head.channels * maps
            copy = full if self.e != FLOAT else 0.0
            extra = maps if head.ignore else 0.0
            if head.loss in LABEL_MAPS:
                worst = max(worst, copy + LABEL_MAPS[head.loss].forward * full)
            elif head.loss == "dice_ce":
                worst = max(worst, copy + full, full + 2 * maps + extra)
            else:
                worst = max(worst, copy + 4 * maps + extra)
        return worst

    def _loss_backward(self, level: int) -> float:
        voxels, worst = self.graph.voxels[level], 0.0
        for head in self.heads:
            maps = FLOAT * voxels
            full = head.channels * maps
            low = self.e != FLOAT
            last = self.e * head.channels * voxels if low else 0.0
            if head.loss in LABEL_MAPS:
                worst = max(worst, LABEL_MAPS[head.loss].backward * full + last)
            elif head.loss == "dice_ce":
                p = full if low else 0.0  # in float32 it is what was saved
                worst = max(worst, 2 * p, p + full + max(4 * maps, last))
            else:
                copy = full if low else 0.0
                worst = max(worst, copy + full, full + max(4 * maps, last))
        return worst

    # Backward pass ------------------------------------------------------------------

    def _backward(self) -> None:
        state = Gradients(self._first_gradients())
        for op in reversed(self.ops):
            if op.output not in state.owner:
                continue
            self._step_back(op, state)

    def _first_gradients(self) -> dict[int, float]:
        """Return the bytes of the gradients that the losses give, by tensor."""
        return {level: self._logits(level) for level in self.levels}

    def _step_back(self, op: Op, state: Gradients) -> None:
        graph, size = self.graph, self._bytes
        held = self._make(op, state)
        given = state.take(op.output)
        extra = op.copies * size(op.output)
        self.gradients += FLOAT * op.parameters
        if op.kind in PASSED_ON:
            state.share(given, op.inputs, is_view=op.kind == "cat")
            self._note(backward=state.bytes + held)
        else:
            for source in op.inputs:
                if source != 0:
                    state.give(source, size(source))
            backward = state.bytes + state.sum_bytes + extra + held
            work = workspace(graph, op, self.setting, backward=True)
            self._note(backward=backward, workspace=work)
            state.settle()
            state.release(given)
        for tensor in self._held(op):
            self.savers[tensor] -= 1
            if not self.savers[tensor]:
                self.kept -= size(tensor)
        self.kept -= self._aside(op)
        if self.e != FLOAT or op.fresh:
            self.copies -= self.e * op.weights

    def _make(self, op: Op, state: Gradients) -> float:
        """Make what an operation needs again; return the bytes that are there then."""
        if not op.again and self.held is None:
            return 0.0
        there = 0.0
        for made in op.again:
            if self.held is None or self.held.number != made.number:
                kept = self.held is not None and self.held.number in made.before
                most = made.most / max(1, self.graph.elements(made.memory))
                size = self._bytes(made.memory)
                self._note(backward=state.bytes + there + (most + kept) * size)
                there += size
            else:
                there += self._bytes(made.memory)
            self.held = made
        if not op.again and self.held is not None:
            there = self._bytes(self.held.memory)
        if self.held is not None and self.held.last:
            self.held = None
        return there


def workspace(graph: Graph, op: Op, setting: Setting, *, backward: bool) -> float:
    """Return the bytes per sample that an operation takes for a moment.

    Libraries compute on another layout than the one tensors come in: cuDNN with
    channels last, oneDNN with blocks of 16 channels.

    Parameters
    ----------
    graph : Graph
        Has the sizes.
    op : Op
        The operation; a convolution copies its tensors.
    setting : Setting
        Device and precision.
    backward : bool
        In the backward pass, or else in the forward pass.
    """
    e, source = BYTES[setting.precision], op.inputs[0]
    if op.kind not in ("conv", "up", "head"):
        return float(e * op.moment[backward])
    if op.pointwise and setting.device == "cpu" and not backward:
        return 0.0
    if setting.device == "cuda":
        return e * (graph.elements(source) + graph.elements(op.output))
    copied: tuple[int, ...] = (source, op.output) if backward else (source,)
    if source == 0 and graph.channels[0] < FEW:
        # Few channels are read as they lie, and the image has no gradient.
        copied = (op.output,)
    elif op.pointwise and op.in_order:
        copied = copied[1:]
    padded = [math.ceil(graph.channels[t] / 16) * 16 * graph.voxels[t] for t in copied]
    return float(e * sum(padded))


def augmentation_bytes(channels: int, voxels: int) -> float:
    """Return the bytes that augmenting one sample on the device takes at most.

    A patch that is turned and made smaller is cut from a box of up to 1.7 times its
    edges (4.1 times the voxels in 3-D), which is sampled on a grid of coordinates.
    """
    source = 4.1 * voxels
    box = source * (channels * FLOAT + LABEL)
    grid = voxels * 3 * FLOAT
    results = 2 * voxels * channels * FLOAT + 4 * voxels * FLOAT
    return box + grid + results
