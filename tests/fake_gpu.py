"""Tensors of a device that is not there: shapes, dtypes and places, and no values.

torch's FakeTensorMode traces operations on any device and refuses an operand that was
left on another one, as the device itself would. On a torch without CUDA, gradients
cannot be traced on ``cuda:0``, whose streams nobody knows; they can on ``lazy``, which
is neither CPU nor anything else that the code knows. So steps of training are tried
there, and what has no gradients, with autocast, on ``cuda:0``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

TRAINS = torch.device("lazy:0")
PREDICTS = torch.device("cuda:0")
SOME = 3  # values that differ, where there are that many: loops go over each


@contextmanager
def fake() -> Iterator[None]:
    """Trace everything inside; what was made outside counts as on the CPU."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        _answers(),
        # What torch's checkpoints ask about a device's random numbers: it has none.
        mock.patch.object(torch, TRAINS.type, SimpleNamespace(), create=True),
        mock.patch("torch.Generator", _generators),
        mock.patch("torch.cuda.is_bf16_supported", lambda *_, **__: True),
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", lambda: False),
        mock.patch("torch.autocast", _autocast),
        mock.patch("torch.unique", _unique),
        mock.patch("torch.bincount", _bincount),
        mock.patch("torch.repeat_interleave", lambda given, *_, **__: given),
    ):
        yield


def _answers() -> Any:
    """Answer where the code asks for values: each is 1, so that all branches go on."""
    return mock.patch.multiple(
        Tensor,
        nonzero=lambda self: self.new_empty(
            (self.numel(), self.dim()), dtype=torch.int64
        ),
        item=lambda self: 1,
        __int__=lambda self: 1,
        __float__=lambda self: 1.0,
        __bool__=lambda self: True,
        unique=_unique,
        numpy=_numpy,
    )


def _numpy(given: Tensor) -> Any:
    """Return zeros; an array can be made of what is on the CPU only."""
    if given.device.type != "cpu":
        raise TypeError(f"a tensor on {given.device} is asked for its values")
    return np.zeros(given.shape, dtype=str(given.dtype).rpartition(".")[2])


def _bincount(given: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Any:
    """Return counts as if there were some values."""
    kind = torch.int64 if weights is None else torch.float64
    return given.new_empty(max(minlength, min(SOME, given.numel())), dtype=kind)


def _unique(
    given: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return values as if some were different."""
    values = given.flatten() if dim is None else given
    size = values.numel() if dim is None else values.shape[dim]
    inverse = values.new_empty(size, dtype=torch.int64)
    inverse = inverse.reshape(given.shape) if dim is None else inverse
    counted = values.new_empty(min(SOME, size), dtype=torch.int64)
    found = [values.narrow(dim or 0, 0, min(SOME, size))]
    found += [inverse] if return_inverse else []
    found += [counted] if return_counts else []
    return found[0] if len(found) == 1 else tuple(found)


_generator = torch.Generator


def _generators(device: Any = "cpu") -> torch.Generator:
    """Return a source of random numbers; nobody draws any."""
    return _generator("cpu")


def _autocast(kind: str, *given: Any, **options: Any) -> torch.amp.autocast:
    """Cast as on a GPU where that is known; otherwise in no operation."""
    if kind == TRAINS.type:
        return torch.amp.autocast("cpu", enabled=False)
    return torch.amp.autocast(kind, *given, **options)


def on(device: torch.device, given: Any) -> Any:
    """Return tensors like those that are given, in whatever they are, on a device."""
    if isinstance(given, Tensor):
        return torch.empty(given.shape, dtype=given.dtype, device=device)
    if isinstance(given, Mapping):
        return {name: on(device, value) for name, value in given.items()}
    if isinstance(given, Sequence):
        return [on(device, value) for value in given]
    return given


def moved(module: nn.Module, device: torch.device) -> nn.Module:
    """Put parameters and registered buffers of a module on a device, as `to` does.

    On ``cuda:0`` parameters have no gradients: to begin one would end the process.
    """
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = nn.Parameter(
                    on(device, value),
                    requires_grad=value.requires_grad and device == TRAINS,
                )
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = on(device, buffer)
    return module
