"""Let the processes of one training talk; nothing else knows torch.distributed.

There are three groups of the same processes. Numbers and texts that decide what is
done go over CPUs; what is computed with goes the fastest way between the devices; and
over the third each process hears at once if its neighbor is gone, also while it waits
for a GPU that waits for that neighbor.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous
from torch.nn.modules.batchnorm import _BatchNorm

from autoseg.errors import AutosegError, UsageError
from autoseg.model.tensors import load_tensors
from autoseg.train.setup.ranks import Elsewhere, Ranks, near_here

T = TypeVar("T")
logger = logging.getLogger(__name__)

MEETING = timedelta(minutes=10)  # until all have come
LONG = timedelta(days=365)  # preprocessing takes as long as it takes
LOOK = 0.01  # seconds between looks whether the others have answered
GRACE = 10.0  # seconds for a process to end by itself once another is gone
READING = 3.0  # seconds for the others to read why this one ends
BUCKET = 2**23  # numbers of gradients that are sent at a time
FAILED, READ = "failed", "read"  # keys of the store
STOPPED = "stopped"


_store: Store | None = None  # lives as long as this process
_meetings = 0


def _meet() -> tuple[Store, int, int]:
    """Return where processes leave notes, and number and count of them."""
    global _store, _meetings
    if _store is None:
        _store, *_ = next(rendezvous("env://", timeout=MEETING))
    _meetings += 1
    store = PrefixStore(f"autoseg{_meetings}", _store)
    return store, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


class Processes(Ranks):
    """This process among the others, as RANK, WORLD_SIZE and so on say.

    Parameters
    ----------
    device : str
        What it computes on.
    """

    def __init__(self, device: str) -> None:
        self.store, number, count = _meet()
        super().__init__(number, count, near=near_here())
        self._left = threading.Event()
        dist.init_process_group(
            "gloo", store=self.store, rank=number, world_size=count, timeout=MEETING
        )
        self._control: Any = dist.new_group(backend="gloo", timeout=LONG)
        self._watched: Any = dist.new_group(backend="gloo", timeout=LONG)
        place = f"{socket.gethostname()} {_exact(device)}"
        places = self.texts(place)
        self.beside = self.near if device == "cpu" else places.count(place)
        apart = len(set(places)) == count and "cpu" not in device
        self._fast = apart and "cuda" in device and dist.is_nccl_available()
        if device.startswith("cuda"):
            torch.cuda.set_device(torch.device(_exact(device)))
        backend = "nccl" if self._fast else "gloo"
        self._data: Any = dist.new_group(backend=backend, timeout=LONG)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def total(self, *sums: Tensor) -> tuple[Tensor, ...]:
        apply: Any = _Total.apply
        found: tuple[Tensor, ...] = apply(self, *sums)
        return found

    def whole(self, samples: Tensor) -> Tensor:
        size = int(self.sums([len(samples)])[0])
        apply: Any = _Whole.apply
        found: Tensor = apply(self, size, samples)
        return found

    def sums(self, numbers: Sequence[float]) -> list[float]:
        found = torch.tensor(numbers, dtype=torch.float64)
        with self._listening():
            dist.all_reduce(found, group=self._control)
        result: list[float] = found.tolist()
        return result

    def texts(self, text: str) -> list[str]:
        return [self._broadcast(text, number) for number in range(self.count)]

    def told(self, say: Callable[[], str]) -> str:
        return self._broadcast(say() if self.first else "", 0)

    def led(self, work: Callable[[], T]) -> T:
        if self.first:
            found = work()
            self.told(str)
            return found
        self.told(str)
        return work()

    def spread(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        content = io.BytesIO()
        if self.first:
            torch.save(dict(state), content)
        found = self._send(content.getvalue(), 0)
        return load_tensors(found, "the state of the first process")

    def add(self, parameters: Iterable[Tensor]) -> None:
        every = list(parameters)
        found = self.sums([float(p.grad is not None) for p in every])
        used = [p for p, times in zip(every, found, strict=True) if times]
        for some in _buckets(used):
            gradients = [
                torch.zeros_like(p) if p.grad is None else p.grad for p in some
            ]
            flat = torch.cat([gradient.ravel() for gradient in gradients])
            self.reduce(flat)
            totals = flat.split([p.numel() for p in some])
            for parameter, gradient, total in zip(some, gradients, totals, strict=True):
                parameter.grad = gradient.copy_(total.view_as(parameter))

    def over_batch(self, network: nn.Module) -> nn.Module:
        norms = [m for m in network.modules() if isinstance(m, _BatchNorm)]
        if not norms:
            return network
        if not self._fast:
            raise UsageError(
                f"This network normalizes over the batch ({type(norms[0]).__name__}), "
                "which several processes can only do with a GPU each. Train it with "
                "one process, or plan one with instance norm."
            )
        found: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network, self._data)
        return found

    def reduce(self, values: Tensor) -> None:
        """Add up a tensor on the device over all processes, in place."""
        with self._listening():
            dist.all_reduce(values, group=self._data)

    def _broadcast(self, text: str, source: int) -> str:
        return self._send(text.encode(), source).decode()

    def _send(self, content: bytes, source: int) -> bytes:
        """Return the content that one process has."""
        size = torch.tensor(len(content))
        self._wait(size, source)
        found = torch.empty(int(size), dtype=torch.uint8)
        if self.number == source and content:
            found = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        if int(size):
            self._wait(found, source)
        return bytes(found.numpy())

    def _wait(self, values: Tensor, source: int) -> None:
        """Broadcast, and answer signals while the others take their time."""
        with self._listening():
            work = dist.broadcast(values, source, group=self._control, async_op=True)
            while not work.is_completed():
                time.sleep(LOOK)
            work.wait()

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Say why another process is gone, if one is."""
        try:
            yield
        except RuntimeError as error:
            logger.debug("%s", error)
            raise self._reason() from None

    def _reason(self) -> BaseException:
        """Return why another process has ended, as far as it said that."""
        note: dict[str, Any] = {}
        with contextlib.suppress(RuntimeError):  # the store may have gone with it
            self.store.wait([FAILED], timedelta(seconds=READING))
            note = json.loads(self.store.get(FAILED))
            self.store.add(READ, 1)
        if note.get("text") == STOPPED:
            return KeyboardInterrupt()
        if note:
            return Elsewhere(f"Process {note['number']} ended: {note['text']}")
        return Elsewhere(
            f"One of the {self.count} processes that train together ended without a "
            "word: it was killed, or its machine is gone. The last checkpoint is "
            "untouched; the same command goes on from there."
        )

    def leave(self, error: BaseException) -> None:
        """End after an error, and let the others know why."""
        self._left.set()
        if not isinstance(error, Elsewhere):
            text = str(error)
            if isinstance(error, KeyboardInterrupt):
                text = STOPPED
            elif not isinstance(error, AutosegError):
                text = f"{type(error).__name__}: {error}"
            note = json.dumps({"number": self.number, "text": text})
            with contextlib.suppress(RuntimeError):
                self.store.set(FAILED, note)
        self._end()
        if self.first and not isinstance(error, Elsewhere):
            # Notes may lie with this process, and go with it.
            until = time.monotonic() + READING
            with contextlib.suppress(RuntimeError):
                while self.store.add(READ, 0) < self.count - 1:
                    if time.monotonic() > until:
                        break
                    time.sleep(LOOK)

    def close(self) -> None:
        """End together with the others, after what was to be done is done."""
        self.texts("")
        self._left.set()
        self._end(well=True)

    def _end(self, well: bool = False) -> None:
        """Take leave of the neighbor that listens, and hear the other one's."""
        before = (self.number - 1) % self.count
        with contextlib.suppress(RuntimeError):
            dist.send(torch.tensor(float(well)), before, group=self._watched)
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()
        # Connections are closed, and the others hear of it, once nobody knows a group.
        self._control = self._data = None
        self._watcher.join(None if well else GRACE)
        self._watched = None

    def _watch(self) -> None:
        """End this process if its neighbor is gone and it does not end by itself."""
        after = (self.number + 1) % self.count
        well = torch.zeros(())
        with contextlib.suppress(RuntimeError):
            dist.recv(well, after, group=self._watched)
        if well or self._left.wait(GRACE):
            return
        print(f"autoseg: {self._reason()}", file=sys.stderr, flush=True)
        os._exit(1)


def _exact(device: str) -> str:
    """Return a device with its number."""
    return f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device


def _buckets(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield parameters of one type together, of no more than so many numbers."""
    found: list[Tensor] = []
    size = 0
    for parameter in parameters:
        other = found and found[0].dtype != parameter.dtype
        if other or (found and size + parameter.numel() > BUCKET):
            yield found
            found, size = [], 0
        found.append(parameter)
        size += parameter.numel()
    if found:
        yield found


class _Total(torch.autograd.Function):
    """Sums over all processes, whose gradient is that by what is here."""

    @staticmethod
    def forward(ctx: Any, processes: Processes, *sums: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        flat = torch.cat([one.detach().double().ravel() for one in sums])
        processes.reduce(flat)
        parts = flat.split([one.numel() for one in sums])
        found = tuple(
            part.view(one.shape).to(one.dtype)
            for part, one in zip(parts, sums, strict=True)
        )
        ctx.mark_non_differentiable(*(f for f in found if not f.is_floating_point()))
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        return None, *grads


class _Whole(torch.autograd.Function):
    """Samples of all processes, whose gradient is that by those that are here."""

    @staticmethod
    def forward(ctx: Any, processes: Processes, size: int, samples: Tensor) -> Tensor:
        ctx.part = slice(processes.number, None, processes.count)
        kind = torch.promote_types(samples.dtype, torch.float32)
        if not samples.is_floating_point():
            kind = torch.promote_types(samples.dtype, torch.int32)
        found = samples.new_zeros((size, *samples.shape[1:]), dtype=kind)
        found[ctx.part] = samples.detach()
        processes.reduce(found)
        return found.to(samples.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return None, None, grads[0][ctx.part]
