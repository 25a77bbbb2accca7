"""Decide the label of each voxel from heads that come one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autoseg.errors import UsageError

if TYPE_CHECKING:
    import torch

    Tensor = torch.Tensor

LABELS_OF_A_BYTE = 256


class Argmax:
    """Which head is largest, of equal ones the first; heads come one by one."""

    def __init__(self) -> None:
        self._head = -1

    def next_head(self, shape: Sequence[int], device: Any = "cpu") -> None:
        """Begin with a head whose values fill a shape."""
        import torch

        self._head += 1
        if self._head == 0:
            self._best = torch.full(tuple(shape), -torch.inf, device=device)
            self.labels = torch.zeros(tuple(shape), dtype=torch.uint8, device=device)
        elif self._head == LABELS_OF_A_BYTE:
            self.labels = self.labels.to(torch.int16)

    def see(self, values: Tensor, part: slice, scratch: Scratch) -> None:
        """Take float32 values of some rows of the head."""
        import torch

        best, labels = self._best[part], self.labels[part]
        # A later head has a larger number: where it leads, its number is the maximum.
        # Into floats, because torch is slower by far at comparing into truths.
        leads = torch.gt(values, best, out=scratch.like("leads", values))
        leads.mul_(self._head)
        torch.maximum(labels, leads.to(labels.dtype), out=labels)
        torch.maximum(best, values, out=best)


class Paint:
    """The value of the last head that is over 0.5 after a sigmoid, else 0.

    Parameters
    ----------
    painted : sequence of int, length K
        The value of each head.
    """

    def __init__(self, painted: Sequence[int]) -> None:
        self._painted = painted
        self._head = -1

    def next_head(self, shape: Sequence[int], device: Any = "cpu") -> None:
        """Begin with a head whose values fill a shape."""
        import torch

        self._head += 1
        if self._head == 0:
            self.labels = torch.zeros(tuple(shape), dtype=torch.int16, device=device)
        if self._head >= len(self._painted):
            raise UsageError(
                f"there are more heads than the {len(self._painted)} painted values."
            )

    def see(self, values: Tensor, part: slice, scratch: Scratch) -> None:
        """Take float32 values of some rows of the head."""
        over = values.float().sigmoid() > 0.5  # float16 would round 0.5002 down
        self.labels[part].masked_fill_(over, self._painted[self._head])


class Scratch:
    """Memory that one thread uses again and again.

    Memory that is new each time costs more than the arithmetic that is done in it.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def like(
        self, name: str, values: Tensor, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Return memory of the shape of a tensor, with what was left in it."""
        return self.empty(name, values.shape, dtype or values.dtype, values.device)

    def empty(
        self, name: str, shape: Sequence[int], dtype: torch.dtype, device: Any
    ) -> Tensor:
        """Return memory of a shape, with what was left in it."""
        import torch

        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != tuple(shape) or buffer.dtype != dtype:
            buffer = torch.empty(tuple(shape), dtype=dtype, device=device)
            self._buffers[name] = buffer
        return buffer
