"""The Tversky index from sums over voxels, and numbers that have to be positive."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from autoseg.errors import PlanError
from autoseg.losses._dice import SMOOTH
from autoseg.losses._labels import LabelLoss, Seen


def mean_tversky(
    loss: LabelLoss,
    seen: Seen,
    alpha: float,
    beta: float,
    score: Callable[[Tensor], Tensor] = lambda index: index,
) -> Tensor:
    """Return the mean over channels, and samples, of what a Tversky index scores.

    Parameters
    ----------
    loss : LabelLoss
        Says whether sums are those of the batch.
    seen : Seen
        Probabilities, and what is known.
    alpha, beta : float
        Weights of what is predicted too much, and of what is missing.
    score : callable
        Of the index; by default the index itself.
    """
    p, g = seen.p * seen.known, seen.g
    found = (p * g).sum(2)

    def of(found: Tensor, predicted: Tensor, reference: Tensor) -> Tensor:
        wrong = alpha * (predicted - found) + beta * (reference - found)
        return score((found + SMOOTH) / (found + wrong + SMOOTH))

    return loss.scored(of, seen, found, p.sum(2), g.sum(2))


def check_weights(loss: str, **numbers: float) -> None:
    """Raise PlanError unless numbers are 0 or more, and not all of them 0."""
    if min(numbers.values()) < 0 or not any(numbers.values()):
        said = ", ".join(f"{name} is {value}" for name, value in numbers.items())
        raise PlanError(f"{loss}: {said}; give numbers from 0 on, not all of them 0.")
