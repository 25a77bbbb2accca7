"""What one iteration trains on.

Legend: B batch, C channels, P patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autoseg.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one iteration trains on.

    Parameters
    ----------
    images : Tensor of float32, shape (B, C, *P)
        Augmented, on the training device.
    labels : Tensor of int16 or int32, shape (B, *P), or None
        Inner labels, on the training device; None: the annotation is points.
    targets : dict of str to Tensor, or None
        What the losses learn, by head, on the training device; None: the labels.
    cases : tuple of str, length B
        Where the samples come from.
    iteration : int
        Number of the iteration.
    read_seconds, augment_seconds : float
        Time that threads spent on it.
    """

    images: torch.Tensor
    labels: torch.Tensor | None
    targets: dict[str, torch.Tensor] | None = None
    cases: tuple[str, ...]
    iteration: int
    read_seconds: float
    augment_seconds: float

    @property
    def learned(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """What the criterion compares outputs with."""
        if self.targets is not None:
            return self.targets
        if self.labels is None:
            raise TrainingError("a batch has neither labels nor targets.")
        return self.labels
