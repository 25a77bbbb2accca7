"""A network of torch's that is run without numbers, to see what autograd keeps of it.

Legend: B batch, C channels, K channels of all heads, S spatial shape, D number of axes.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Mode = TypeVar("Mode", bound=TorchDispatchMode)
HEAD = "outputs"
LOW = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Trial:
    """What one forward pass came to.

    Parameters
    ----------
    saved : int
        Bytes that autograd keeps, weights and image left out.
    multiply_adds : int
        Of the pass.
    largest : int
        Elements of the largest tensor that is kept.
    levels : tuple of tuple of int
        Spatial shapes of the outputs.
    """

    saved: int
    multiply_adds: int
    largest: int
    levels: tuple[tuple[int, ...], ...]


@dataclass
class Trials:
    """Runs a network on images of any shape, which takes neither memory nor sums.

    Whether it can is tried on the device ``meta``, which is quick. What autograd keeps
    is counted with torch's fake tensors, which are on it, too, but treated as if they
    were on a CPU: attention is the fused one, and half precision is on.

    Parameters
    ----------
    make : callable
        ``make(in_channels, heads, deep_supervision)`` gives the module.
    in_channels, outputs : int
        C and K.
    deep : bool
        All levels have outputs.
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    """

    make: Any
    in_channels: int
    outputs: int
    deep: bool
    precision: str
    network: nn.Module = field(init=False)
    _shell: nn.Module = field(init=False)
    _mode: FakeTensorMode = field(init=False)

    def __post_init__(self) -> None:
        self._mode = FakeTensorMode()
        self._shell = self._made(torch.device("meta"))
        with self._mode:
            self.network = self._made(torch.device("cpu"))

    def _made(self, device: torch.device) -> nn.Module:
        with device, _silent():
            made: nn.Module = self.make(
                self.in_channels, {HEAD: self.outputs}, self.deep
            )
        return made.train()

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(p.numel() for p in self.network.parameters())

    def fault(self, shape: Sequence[int]) -> str | None:
        """Return why the network cannot take images of a shape; None: it can."""
        try:
            with torch.device("meta"), _silent(), torch.no_grad():
                image = torch.zeros((2, self.in_channels, *shape))
                finest = self._levels(self._shell(image))[0]
        except Exception as error:  # foreign code may raise anything
            return str(error).partition("\n")[0] or type(error).__name__
        if finest != tuple(shape):
            return f"its finest output has the shape {finest}"
        return None

    def run(self, shape: Sequence[int], batch: int) -> Trial:
        """Return what a forward pass of training comes to; raises what it raises."""
        kept = _Kept(self.network)
        with self._mode, torch.device("cpu"), _silent(), kept:
            image = torch.zeros((batch, self.in_channels, *shape))
            kept.leave_out(image)
            low = LOW.get(self.precision)
            counter = Operations()
            with counter, torch.autocast("cpu", low, enabled=low is not None):
                outputs = self.network(image)
            levels = self._levels(outputs)
        return Trial(kept.bytes, counter.found // 2, kept.largest, tuple(levels))

    @staticmethod
    def _levels(outputs: Any) -> list[tuple[int, ...]]:
        """Return the spatial shapes of one head's outputs."""
        if not isinstance(outputs, Mapping) or HEAD not in outputs:
            raise TypeError(
                f"it returns {type(outputs).__name__}, and no heads by name"
            )
        found = outputs[HEAD]
        levels = found if isinstance(found, (list, tuple)) else [found]
        return [tuple(level.shape[2:]) for level in levels]


def unmarked(mode: type[Mode]) -> type[Mode]:
    """Let what sees each operation of torch be called as it is written.

    torch marks it as nothing to compile, by importing ``torch._dynamo`` at the first
    call, which takes as long as importing torch. Nothing here compiles.
    """
    plain: Any = inspect.unwrap(mode.__torch_dispatch__)
    mode.__torch_dispatch__ = plain  # type: ignore[method-assign]
    return mode


@unmarked
class Operations(TorchDispatchMode):
    """Counts operations by torch's formulas, in half the time of its own counter.

    Which asks besides what module each is of.

    Attributes
    ----------
    found : int
        Additions and multiplications of all products so far.
    """

    def __init__(self) -> None:
        prepare: Any = super().__init__  # torch gives it no types
        prepare()
        self.found = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Compute as ever, and count."""
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        # Operators of higher order have no packet, and no formula either.
        formula = flop_registry.get(getattr(function, "overloadpacket", None))
        if formula is not None:
            self.found += int(formula(*args, **kwargs, out_val=result))
        return result


@contextmanager
def _silent() -> Iterator[None]:
    """Keep back what a plug-in warns of: it does when it is trained."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Kept(torch.autograd.graph.saved_tensors_hooks):
    """Counts the memory of tensors that autograd keeps, each memory once."""

    def __init__(self, network: nn.Module) -> None:
        self._storages: dict[int, Any] = {}
        self._own: dict[int, Any] = {}
        self.largest = 0
        super().__init__(self._note, lambda storage: storage)
        for tensor in [*network.parameters(), *network.buffers()]:
            self.leave_out(tensor)

    def leave_out(self, tensor: Tensor) -> None:
        """Do not count a tensor's memory."""
        storage = tensor.untyped_storage()
        self._own[storage._cdata] = storage

    def _note(self, tensor: Tensor) -> Any:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._own:
            self._storages[storage._cdata] = storage  # kept, so that none is reused
            self.largest = max(self.largest, math.prod(tensor.shape))
        # No tensor is asked for; what made one would hold it for ever, and it that.
        return storage

    @property
    def bytes(self) -> int:
        """All of them."""
        return sum(storage.nbytes() for storage in self._storages.values())
