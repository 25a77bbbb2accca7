"""What this machine trains fastest with: device, number format, layout, threads."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from autoseg.errors import UsageError, amount
from autoseg.machine import cores as usable_cores
from autoseg.machine import keep_freed_memory
from autoseg.networks.onednn import prefer_onednn
from autoseg.predict.device import PRECISIONS, cpu_computes_bf16
from autoseg.train.setup.ranks import ONE, Ranks

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """Where and in which number format a network runs.

    Parameters
    ----------
    device : torch.device
        Where.
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``: of the network's layers; the weights, the
        loss and the optimizer stay in float32.
    channels_last : bool
        Channels are the fastest axis in memory, wherever that computes faster.
    compile : bool
        Try ``torch.compile``.
    threads : int
        Threads of one operation on the CPU.
    loader_threads : int
        Threads that read and augment.
    ranks : Ranks
        Which of several processes this is; the threads are its own.
    """

    device: torch.device
    precision: str
    channels_last: bool
    compile: bool
    threads: int
    loader_threads: int
    ranks: Ranks = ONE

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return a context in which layers compute in this precision."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=PRECISIONS[self.precision])

    def scaler(self) -> torch.amp.GradScaler:
        """Return a scaler of the loss, which does something for fp16 only."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def place(self, network: nn.Module, dim: int) -> nn.Module:
        """Return the network on the device and in the layout of this hardware."""
        network = network.to(self.device)
        if self.device.type == "cpu":
            prefer_onednn(network)
        layout = self._layout(dim)
        if layout is not None:
            network = network.to(memory_format=layout)  # type: ignore[call-overload]
        return network

    def arrange(self, images: torch.Tensor) -> torch.Tensor:
        """Return images (B, C, *S) in the layout of this hardware."""
        layout = self._layout(images.dim() - 2)
        return images if layout is None else images.contiguous(memory_format=layout)

    def _layout(self, dim: int) -> torch.memory_format | None:
        """Return how tensors lie in memory; None: channels first."""
        if not self.channels_last:
            return None
        if dim == 3:
            return torch.channels_last_3d
        # In single precision oneDNN computes planes a fifth faster channels first.
        return None if self.precision == "fp32" else torch.channels_last

    @contextlib.contextmanager
    def thread_limit(self) -> Iterator[None]:
        """Compute with this many threads inside, and as before afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        if self.device.type == "cpu":
            keep_freed_memory()
            if self.threads > 1:
                _calm_openmp(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


_calmed = threading.Lock()


def _calm_openmp(threads: int) -> None:
    """Keep GNU OpenMP's threads from spinning where the environment did not.

    Threads that wait for each other spin for milliseconds, so beside a busy neighbor
    a step takes 10 to 100 times as long. The command sets OMP_WAIT_POLICY before torch
    is imported; from Python that may be too late. But GNU OpenMP also gives up spinning
    when its process has more threads than there are cores, and a thread that has
    computed once, and then sleeps, counts.
    """
    if not _calmed.acquire(blocking=False):
        return  # once in a process
    ready = threading.Event()

    def compute_once_and_sleep() -> None:
        torch.set_num_threads(threads)
        torch.zeros(1 << 18).add_(1)
        ready.set()
        threading.Event().wait()

    threading.Thread(
        target=compute_once_and_sleep, name="autoseg-calm", daemon=True
    ).start()
    ready.wait()


def find_device(name: str = "auto") -> torch.device:
    """Return a device by its name.

    Parameters
    ----------
    name : str
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or
        ``"mps"``.

    Returns
    -------
    torch.device
        One that is there.

    Raises
    ------
    UsageError
        If there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(
            f"No device is called {name!r}. Give auto, cpu, cuda, cuda:N or mps."
        ) from None
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise UsageError(
            f"Device {name!r} is not here: torch sees "
            f"{amount(count, 'CUDA device')}. Give "
            "--device cpu, or install a torch that fits the GPU's driver."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"Device {name!r} is not here. Give --device cpu.")
    return device


def choose_hardware(
    device: str = "auto",
    *,
    precision: str = "auto",
    compile: str = "auto",
    threads: int | None = None,
    loader_threads: int | None = None,
    ranks: Ranks = ONE,
) -> Hardware:
    """Return the fastest safe way to train on a device.

    On a CPU, bf16 with channels last where the processor computes in bf16, fp32 with
    channels last elsewhere; on CUDA, bf16 if it is native, else fp16 with a scaled
    loss. The choice follows from what the processor is, not from a measurement, so
    that a training that is resumed makes the same one.

    Parameters
    ----------
    device : str
        As in `find_device`.
    precision : str
        ``"auto"``, ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    compile : str
        ``"on"``, ``"off"``, or ``"auto"``: on for CUDA, where it pays.
    threads, loader_threads : int, optional
        By default as many as there are cores for this process; and on a CPU, whose
        cores the trainer needs itself, half as many loader threads.
    ranks : Ranks
        Which of several processes this is.

    Returns
    -------
    Hardware
        With everything resolved.

    Raises
    ------
    UsageError
        If the device is not here or cannot do what is asked.
    """
    where = find_device(device)
    cores = max(1, usable_cores() // ranks.near)
    if precision == "auto":
        precision = _precision(where)
    elif precision not in PRECISIONS:
        raise UsageError(f"precision {precision!r}: give auto, fp32, bf16 or fp16.")
    if precision == "fp16" and where.type == "cpu":
        raise UsageError("Training in fp16 needs a GPU; give --precision bf16 or fp32.")
    if loader_threads is None:
        loader_threads = math.ceil(cores / 2) if where.type == "cpu" else min(cores, 12)
    return Hardware(
        device=where,
        precision=precision,
        channels_last=where.type == "cpu",
        compile=where.type == "cuda" if compile == "auto" else compile == "on",
        threads=threads or cores,
        loader_threads=loader_threads,
        ranks=ranks,
    )


def _precision(device: torch.device) -> str:
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere
        return "bf16" if native else "fp16"
    if device.type == "cpu" and cpu_computes_bf16():
        return "bf16"
    return "fp32"


def _compiled_as_asked(network: nn.Module) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which a network is compiled to keep what it would by itself.

    A compiler makes again what it can fuse, but keeps what a convolution's gradient
    needs, and so both of a block's feature maps. Versions of torch without this switch
    keep both.
    """
    from torch._functorch import config

    switch = "ban_recompute_materialized_backward"
    if not getattr(network, "recompute", False) or not hasattr(config, switch):
        return contextlib.nullcontext()
    patched: contextlib.AbstractContextManager[Any] = config.patch({switch: False})
    return patched


def try_compile(
    network: nn.Module, example: Callable[[nn.Module], object]
) -> tuple[nn.Module, str | None]:
    """Compile a network if that works here.

    Parameters
    ----------
    network : Module
        Stays usable, and shares its weights with what is returned.
    example : callable
        Runs a network once, forward and backward, as training will.

    Returns
    -------
    network : Module
        The compiled one, or the one given if compiling failed.
    reason : str or None
        Why it failed.
    """
    try:
        compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
        with _compiled_as_asked(network):
            example(compiled)
    except Exception as error:  # a compiler fails in more ways than can be listed
        torch._dynamo.reset()
        first = (str(error).strip().splitlines() or [""])[0]
        reason = f"{type(error).__name__}: {first}"
        logger.warning(
            "torch.compile failed here (%s); training goes on without it.", reason
        )
        return network, reason
    return compiled, None
