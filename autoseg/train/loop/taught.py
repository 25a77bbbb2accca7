"""What the training loop needs of a loss, and of what gives batches."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from torch import Tensor

from autoseg.train.data.batch import Batch
from autoseg.train.setup.ranks import Ranks


class Judge(Protocol):
    """From outputs and what is learned to a loss, such as `Criterion`."""

    @property
    def lowest(self) -> float:
        """The least loss that there can be."""

    def divide(self, ranks: Ranks) -> None:
        """Take sums over the batch of all processes."""

    def __call__(self, outputs: Any, learned: Any) -> Tensor:
        """Return the loss, a scalar."""


class Batches(Protocol):
    """Gives batches in the order of iterations, such as `Loader`."""

    @property
    def sampler(self) -> Any:
        """Knows ``samples``, which of each batch are drawn here."""

    def batches(self, first: int, last: int | None) -> Generator[Batch, None, None]:
        """Yield the batches from one iteration to another; without one, without end."""
