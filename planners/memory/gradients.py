"""The memory of gradients that wait, in the backward pass of a training step.

A gradient may be a view of another one, and two gradients of one tensor are added: in
place where nobody else needs the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Gradients:
    """Gradients of feature maps that wait for their turn.

    Parameters
    ----------
    sizes : mapping of int to float
        Bytes of those that the losses give, by tensor.

    Attributes
    ----------
    owner : dict of int to int
        The piece of memory that each tensor's gradient is in.
    bytes : float
        Of all pieces.
    sum_bytes : float
        Of a sum that needs a piece of its own until it is settled.
    """

    def __init__(self, sizes: Mapping[int, float]) -> None:
        # Several gradients may be views of one piece of memory: (bytes, users).
        self.memory = {n: [size, 1.0] for n, size in enumerate(sizes.values())}
        self.owner = {tensor: n for n, tensor in enumerate(sizes)}
        self.views: set[int] = set()  # tensors whose gradient is a part of another
        self.bytes = sum(sizes.values())
        self.sum_bytes = 0.0
        self._next = len(sizes)
        self._pending: list[tuple[int, int]] = []

    def take(self, tensor: int) -> int:
        """Return the piece with a tensor's gradient, which is used up from now on."""
        self.views.discard(tensor)
        return self.owner.pop(tensor)

    def share(self, piece: int, tensors: Sequence[int], *, is_view: bool) -> None:
        """Hand a piece on to other tensors, whose gradient it is or a part of it."""
        self.memory[piece][1] += len(tensors) - 1
        for tensor in tensors:
            self._arrive(tensor, piece)
            if is_view:
                self.views.add(tensor)
        self.settle()

    def give(self, tensor: int, size: float) -> None:
        """Make a new piece with a gradient of a tensor."""
        piece = self._next
        self._next += 1
        self.memory[piece] = [size, 1]
        self.bytes += size
        self._arrive(tensor, piece)

    def _arrive(self, tensor: int, piece: int) -> None:
        if tensor not in self.owner:
            self.owner[tensor] = piece
            return
        # Two gradients of one tensor are added: in place, but not into a part.
        if tensor in self.views or self.memory[self.owner[tensor]][1] > 1:
            self.sum_bytes = self.memory[piece][0]
        self._pending.append((tensor, piece))

    def settle(self) -> None:
        """Finish additions: the sum takes the place of the second gradient."""
        for tensor, piece in self._pending:
            before = self.owner[tensor]
            self.owner[tensor] = piece
            self.views.discard(tensor)
            self.release(before)
        self._pending.clear()
        self.sum_bytes = 0.0

    def release(self, piece: int) -> None:
        """Give back a piece that one user less needs; free it after the last."""
        entry = self.memory[piece]
        entry[1] -= 1
        if not entry[1]:
            self.bytes -= entry[0]
            del self.memory[piece]
