"""Memory of a training step whose logits are made late: of landmarks.

The logits of a few landmarks at a time are made of the last features, compared and
forgotten, and made once more for their gradients (`train.loop.criterion`). So what
the losses take does not grow with the number of landmarks.
"""

from __future__ import annotations

from typing import NamedTuple

from autoseg.spec.head import AT_ONCE
from planners.memory.graph import Op
from planners.memory.walk import FLOAT, Walk


class Maps(NamedTuple):
    """What a loss takes, in float32 maps of the landmarks that are there at once.

    Parameters
    ----------
    saved : float
        Kept for the backward pass.
    forward, backward : float
        At the worst moment of each pass, what is kept included.
    logits : float
        In 16 bit, maps of the logits in that precision at the worst moment.
    """

    saved: float
    forward: float
    backward: float
    logits: float = 1.0


# Counted on a CPU: tests/planners/test_late.py.
MAPS = {
    "spatial_cross_entropy": Maps(1, 2, 5, 0),
    "dsnt": Maps(6, 11, 11),
    "top_k_bce": Maps(2.4, 5.6, 4),
    "balanced_mse": Maps(1, 4, 5),
    "adaptive_wing": Maps(6.25, 13.3, 12.25),
    "smooth_l1": Maps(2, 4, 5),
}
WORST = Maps(8, 15, 15)  # of a loss that somebody added


class LateWalk(Walk):
    """Goes through a step of a task whose annotation is points."""

    def _trained(self) -> list[Op]:
        return [op for op in self.graph.ops if op.kind != "head"]

    @property
    def _head(self) -> Op:
        (op,) = (op for op in self.graph.ops if op.kind == "head")
        return op

    def _maps(self, level: int) -> tuple[float, Maps]:
        """Return the bytes of a map of the landmarks that are there at once."""
        head = max(self.heads, key=lambda head: head.channels)
        size = FLOAT * min(AT_ONCE, head.channels) * self.graph.voxels[level]
        return float(size), MAPS.get(head.loss, WORST)

    @property
    def _repeated(self) -> bool:
        return any(head.channels > AT_ONCE for head in self.heads)

    def _saved_by_loss(self, level: int) -> float:
        size, maps = self._maps(level)
        return 0.0 if self._repeated else maps.saved * size

    def _losses(self) -> None:
        (level,) = self.levels
        size, maps = self._maps(level)
        low = self.e / FLOAT * maps.logits if self.e != FLOAT else 0.0
        gradients = self._bytes(self._head.inputs[0])  # those so far
        self._note(loss=size * (maps.forward + low))
        worst = maps.backward
        if self._repeated:  # forward and backward pass of the same landmarks
            worst = max(worst, maps.forward + low)
        self._note(loss=size * worst + gradients)
        self.gradients += FLOAT * self._head.parameters

    def _first_gradients(self) -> dict[int, float]:
        features = self._head.inputs[0]
        return {features: self._bytes(features)}
