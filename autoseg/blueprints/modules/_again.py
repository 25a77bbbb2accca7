"""Feature maps that the backward pass makes again instead of keeping them.

autograd hands over each tensor that it wants to keep (torch's ``saved_tensors_hooks``).
Of those that `autoseg.blueprints.backward` marks, only the way back to what is kept
stays here; when their gradient is due, the same layers give the same numbers again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Make = Callable[[list[Tensor]], Tensor]


class Again:
    """A tensor that can be made again.

    Parameters
    ----------
    number : int
        Its place in the drawing.
    make : callable
        Makes it of tensors, which it takes off their list.
    inputs : sequence of Tensor or Again
        What it is made of: kept, or made again itself.
    """

    def __init__(
        self, number: int, make: Make, inputs: Sequence[Tensor | Again]
    ) -> None:
        self.number, self.make, self.inputs = number, make, list(inputs)
        before = [x for x in inputs if isinstance(x, Again)]
        self.ancestors: frozenset[int] = frozenset().union(
            *(x.ancestors | {x.number} for x in before)
        )
        self.where = 0  # in memory, as long as the forward pass needs it
        self.shape: torch.Size | None = None
        self.stride: tuple[int, ...] = ()

    def adopt(self, copy: Tensor) -> None:
        """Be made of what the layer keeps, in case that is a copy: one is enough."""
        (source,) = self.inputs if len(self.inputs) == 1 else (None,)
        if not isinstance(source, Tensor) or source.numel() != copy.numel():
            return
        if copy.shape[2:] != source.shape[2:]:  # its axes have another order
            return
        if copy.dtype in (source.dtype, torch.float32):
            self.inputs = [copy.detach().reshape(source.shape)]

    def way(self, place: int) -> int:
        """Return how many others have to be made before an input."""
        source = self.inputs[place]
        return -1 if isinstance(source, Tensor) else len(source.ancestors)


class _Box:
    """What autograd holds in place of a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self.content: Tensor | Again = tensor
        self.view: tuple[torch.Size, tuple[int, ...], int] | None = None
        self.last = False  # nobody needs it after

    def empty(self, again: Again, own: bool) -> None:
        """Hold no tensor any more, but how it is made."""
        tensor: Any = self.content
        view = tensor.shape, tensor.stride(), tensor.storage_offset()
        self.view = None if view == (again.shape, again.stride, 0) else view
        self.content, self.last = again, own


class Keeper:
    """Decides what autograd keeps of one forward pass.

    Parameters
    ----------
    device : torch.device
        Where the pass runs. Whether it runs under autocast is noted, because the
        backward pass does not.
    """

    def __init__(self, device: torch.device) -> None:
        self._known: dict[int, Again] = {}  # by place in memory
        self._made: dict[int, Again] = {}  # by number in the drawing
        self._fresh: list[_Box] = []
        self._held: tuple[int, Tensor] | None = None
        self._autocast: dict[str, Any] | None = None
        if torch.amp.is_autocast_available(device.type):
            self._autocast = {
                "device_type": device.type,
                "dtype": torch.get_autocast_dtype(device.type),
                "enabled": torch.is_autocast_enabled(device.type),
            }

    def hooks(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the layers of the pass run."""
        return torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)

    def _pack(self, tensor: Tensor) -> _Box:
        box = _Box(tensor)
        self._fresh.append(box)
        return box

    def sources(
        self, numbers: Sequence[int], tensors: Sequence[Tensor]
    ) -> list[Tensor | Again]:
        """Return what inputs of a layer are made of: themselves, if they are kept."""
        return [
            self._made.get(number, tensor.detach())
            for number, tensor in zip(numbers, tensors, strict=True)
        ]

    def after(
        self, found: Tensor | None, again: Again | None, unused: Sequence[int]
    ) -> None:
        """Settle what a layer saved, once it has run.

        Parameters
        ----------
        found : Tensor or None
            What it gave, if that is one tensor.
        again : Again or None
            How it is made again, if it shall be.
        unused : sequence of int
            Tensors that no later layer reads.
        """
        place = None if found is None else found.untyped_storage().data_ptr()
        if found is not None and place is not None:
            self._known.pop(place, None)  # it was overwritten
            if again is not None and _is_whole(found):
                again.where = place
                again.shape, again.stride = found.shape, found.stride()
                self._known[place] = self._made[again.number] = again
        for box in self._fresh:
            tensor: Any = box.content
            known = self._known.get(tensor.untyped_storage().data_ptr())
            if known is not None:
                box.empty(known, own=known is again)
            elif again is not None:
                again.adopt(tensor)
        self._fresh.clear()
        for number in unused:
            gone = self._made.pop(number, None)
            if gone is not None and self._known.get(gone.where) is gone:
                del self._known[gone.where]

    # Backward pass ------------------------------------------------------------------

    def _unpack(self, box: _Box) -> Tensor:
        if isinstance(box.content, Tensor):
            return box.content
        tensor = self._value(box.content, box.last)
        return tensor if box.view is None else tensor.as_strided(*box.view)

    def _value(self, again: Again, last: bool) -> Tensor:
        """Return a tensor, held until another is made or nobody needs it."""
        useful = again.ancestors | {again.number}
        if self._held is not None and self._held[0] not in useful:
            self._held = None
        with torch.no_grad(), self._as_forward():
            found = self._again(again)
        if found.stride() != again.stride:
            laid_out = torch.empty_strided(
                found.shape, again.stride, dtype=found.dtype, device=found.device
            )
            found = laid_out.copy_(found)
        self._held = None if last else (again.number, found)
        return found

    def _as_forward(self) -> contextlib.AbstractContextManager[Any]:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(**self._autocast)

    def _again(self, again: Again) -> Tensor:
        if self._held is not None and self._held[0] == again.number:
            return self._held[1]
        found: dict[int, Tensor] = {}
        # What takes the longest way first, when nothing else of this layer is there.
        for place in sorted(range(len(again.inputs)), key=again.way, reverse=True):
            source = again.inputs[place]
            found[place] = source if isinstance(source, Tensor) else self._again(source)
        inputs = [found.pop(place) for place in range(len(again.inputs))]
        return again.make(inputs)


def _is_whole(tensor: Tensor) -> bool:
    """Return whether a tensor is all that is in its piece of memory."""
    return tensor.untyped_storage().nbytes() == tensor.nbytes


def normalize_again(module: nn.Module, x: Tensor) -> Tensor:
    """Return what a norm gave, without counting it into a mean over steps again."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
        return functional.batch_norm(
            x, None, None, module.weight, module.bias, training=True, eps=module.eps
        )
    found: Tensor = module(x)
    return found


class AveragePool(torch.autograd.Function):
    """A pool of averages that keeps nothing.

    torch's own keeps what it is given, of which it needs the shape alone.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, stride: Sequence[int], pool: Any) -> Tensor:
        """Return the averages of blocks of x (B, C, *S)."""
        ctx.shape, ctx.dtype = x.shape[2:], x.dtype
        ctx.voxels = torch.Size(stride).numel()
        found: Tensor = pool(x, stride, stride)
        return found

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of x: each average's, shared among its block."""
        share = slopes[0] / ctx.voxels
        size = list(ctx.shape)
        found = functional.interpolate(share, size, mode="nearest").to(ctx.dtype)
        return found, None, None
