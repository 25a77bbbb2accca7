"""Ending a training early: when its validation score gets no better any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class EarlyEnd:
    """How long no better validation score may be waited for.

    Parameters
    ----------
    patience : float
        From 1 on: epochs. Below 1: share of the whole training, which is what fits a
        time budget, whose epochs are not known. 0: training goes on to its end.

    Attributes
    ----------
    epoch : int
        Epochs that were done when the score was best.
    progress : float
        Share of the training that was done then.
    reached : bool
        Whether it was waited for long enough.

    Examples
    --------
    >>> early = EarlyEnd(2)
    >>> early.look(1, 0.1, better=True), early.look(2, 0.2, better=False)
    (False, False)
    >>> early.look(3, 0.3, better=False), early.epoch
    (True, 1)
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.epoch = 0
        self.progress = 0.0
        self.reached = False

    def look(self, epoch: int, progress: float, better: bool) -> bool:
        """Take note of a validation; return whether training is to end.

        Parameters
        ----------
        epoch : int
            Epochs that are done.
        progress : float
            Share of the training that is done, in [0, 1].
        better : bool
            Whether this score is the best so far.
        """
        if better:
            self.epoch, self.progress = epoch, progress
        elif self.patience >= 1:
            self.reached = epoch - self.epoch >= self.patience
        elif self.patience > 0:
            self.reached = progress - self.progress >= self.patience
        return self.reached

    def __str__(self) -> str:
        waited = (
            f"{self.patience:g} epochs"
            if self.patience >= 1
            else f"{self.patience:.0%} of the training"
        )
        return f"the validation score got no better in {waited}"

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep."""
        return {
            "epoch": self.epoch,
            "progress": self.progress,
            "reached": self.reached,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.epoch = int(state["epoch"])
        self.progress = float(state["progress"])
        self.reached = bool(state["reached"])
