"""The interface of what makes training cases of predictions, by kind of annotation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from autoseg.predict.job import Job
from autoseg.spec.dataset import Dataset
from autoseg.tasks.base import Task

IGNORE = "ignore"


class TeachKind(ABC):
    """Makes an annotation of a prediction, with what is unsure left out.

    Parameters
    ----------
    task : Task
        Of the model.
    dataset : Dataset
        That the cases will belong to.
    sure : float
        From which probability, or score, on something is sure.
    """

    needs_outputs: ClassVar[bool] = False  # probabilities beside predictions

    def __init__(self, task: Task, dataset: Dataset, sure: float) -> None:
        self.task, self.dataset, self.sure = task, dataset, sure

    def described(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Return dataset.json with what annotations that leave something out need."""
        return dict(raw)

    @abstractmethod
    def annotate(self, job: Job, folder: Path) -> tuple[Path, float] | None:
        """Write an annotation.

        Parameters
        ----------
        job : Job
            A case, and its prediction, which is there.
        folder : Path
            Where to.

        Returns
        -------
        (Path, float) or None
            The file, and which share of the prediction is sure: of voxels, objects or
            points. None if nothing is, and nothing was written.
        """
