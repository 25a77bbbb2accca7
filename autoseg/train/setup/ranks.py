"""Which of several processes that train one network together this one is.

The trainer and what it uses speak to `Ranks` alone; `processes` lets them talk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from autoseg.errors import TrainingError, UsageError
from autoseg.losses.base import Share

T = TypeVar("T")


class Ranks(Share):
    """One of several processes that have a share of each batch, and say nothing.

    So a step of one of them can be timed or tried alone. With a count of one, it is
    the whole of a training.

    Parameters
    ----------
    number : int
        Of this process, from 0 on. The first one locks, logs and writes.
    count : int
        How many there are.
    near : int
        How many of them share this machine's cores and memory.
    beside : int
        How many of them share this one's device.
    """

    def __init__(
        self, number: int = 0, count: int = 1, near: int = 1, beside: int = 1
    ) -> None:
        self.number, self.count = number, count
        self.near, self.beside = near, beside

    @property
    def first(self) -> bool:
        """Whether this is the process that locks, logs and writes."""
        return self.number == 0

    @property
    def silent(self) -> Ranks:
        """The same share, without a word to the others."""
        return Ranks(self.number, self.count, self.near, self.beside)

    def of(self, things: Sequence[T]) -> list[T]:
        """Return this process's share: every `count`-th thing, from `number` on."""
        return list(things[self.number :: self.count])

    def largest(self, total: int) -> int:
        """Return how many of some things the first process has, as many as anybody."""
        return -(-total // self.count)

    def check(self, batch_size: int) -> None:
        """Raise UsageError unless everybody gets a sample of each batch."""
        if batch_size < self.count:
            raise UsageError(
                f"{self.count} processes cannot share a batch of {batch_size}: give "
                f"--batch-size {self.count} or fewer processes, or plan a batch for "
                f"that many with `autoseg plan --gpus {self.count}`."
            )

    def sums(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes."""
        return list(numbers)

    def texts(self, text: str) -> list[str]:
        """Return what each process says, in their order."""
        return [text]

    def told(self, say: Callable[[], str]) -> str:
        """Return what the first process says; only it is asked, and may take long."""
        return say()

    def led(self, work: Callable[[], T]) -> T:
        """Let the first process work, then the others, who find what it has written.

        Parameters
        ----------
        work : callable
            Done by all; writes nothing where it was done before.

        Returns
        -------
        object
            What it gives here.
        """
        return work()

    def alone(self, work: Callable[[], object]) -> None:
        """Let the first process work, while the others wait."""
        self.told(lambda: "" if work() else "")

    def spread(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the first process's state: tensors on the CPU and plain values."""
        return state

    def over_batch(self, network: nn.Module) -> nn.Module:
        """Return a network whose norms over the batch see all of it."""
        return network

    def add(self, parameters: Iterable[Tensor]) -> None:
        """Add up the gradients of parameters over all processes, in place."""


ONE: Ranks = Ranks()


class Elsewhere(TrainingError):
    """Another process of the same training has ended, so this one does, too."""


def is_one_of_several() -> bool:
    """Return whether this process was started as one of several, as torchrun does."""
    return "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def speaks() -> bool:
    """Return whether this is the process that speaks for all."""
    return not is_one_of_several() or os.environ["RANK"] == "0"


def device_here(names: Sequence[str]) -> str:
    """Return which of the devices that were named this process computes on.

    Parameters
    ----------
    names : sequence of str
        One for all processes of this machine, or one for each.

    Raises
    ------
    UsageError
        If there are too few.

    Examples
    --------
    >>> device_here(["cpu"])
    'cpu'
    """
    if not is_one_of_several():
        return names[0]
    local = int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))
    near = near_here()
    if len(names) > 1:
        if len(names) != near:
            raise UsageError(
                f"{near} processes were started here, and --device names {len(names)} "
                "devices."
            )
        return names[local]
    count = torch.cuda.device_count()
    if names[0] not in ("cuda", "auto") or (names[0] == "auto" and not count):
        return names[0]
    if near > count:
        raise UsageError(
            f"{near} processes were started here, and torch sees {count} CUDA "
            "device(s). Start as many as there are devices; or name one, as in "
            "--device cuda:0, that they share."
        )
    return f"cuda:{local}"


def near_here() -> int:
    """Return how many of the processes share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"]))
