"""Calibration of what was trained: do its predictions know how good they are?

What is looked at depends on the kind of annotation (`autoseg.report.kinds`): of label
maps, probabilities of voxels; of instances, their scores beside their IoU; of points,
the error that is to be expected beside the one that was made. Held-out cases only.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, CaseErrors
from autoseg.parallel import map_cases
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task
from autoseg.train.after.results import Trained, scores_of
from autoseg.workspace import Workspace

Json = dict[str, Any]
Array = NDArray[Any]

SHOWN = 1500  # points of a scatter chart

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One configuration whose calibration is looked at.

    Parameters
    ----------
    trained : Trained
        The folds.
    dataset : Dataset
        With the annotations.
    task : Task
        What they mean.
    find : callable
        The file of each case in a folder of predictions.
    workspace : Workspace
        Where outputs are kept.
    workers : int or None
        Cases at a time.
    """

    trained: Trained
    dataset: Dataset
    task: Task
    find: Callable[[Path], dict[str, Path]]
    workspace: Workspace
    workers: int | None = None

    def files(self) -> dict[str, Path]:
        """Return the predictions of held-out cases, by case."""
        found: dict[str, Path] = {}
        for fold in self.trained.folds:
            if fold.held_out and fold.summary is not None:
                there = self.find(fold.predictions)
                found |= {c: there[c] for c in scores_of(fold) if c in there}
        return found

    def each(self, look: Callable[[str, Path], Any], files: Mapping[str, Path]) -> Json:
        """Return what a look at each case says; cases that fail are told of."""
        found: Json = {}
        try:
            map_cases(
                lambda case: look(case, files[case]), sorted(files),
                stage="calibration", workers=self.workers, done=found.__setitem__,
            )  # fmt: skip
        except CaseErrors as error:
            log.warning("%s: %s", self.trained.name, error)
        return {case: found[case] for case in sorted(found) if found[case] is not None}

    def some(self, most: int) -> dict[str, Path]:
        """Return the predictions of so many held-out cases, evenly spread by name."""
        files = self.files()
        step = max(1, math.ceil(len(files) / most))
        return {case: files[case] for case in sorted(files)[::step]}

    def annotation(
        self, case_id: str, image: Geometry | None = None, lazily: bool = False
    ) -> Any:
        """Return what was drawn, in the task's inner form; points in an image's.

        ``lazily``: a large label map may stay in its file.
        """
        case = self.dataset.case(case_id)
        if case.annotation is None:
            raise AutosegError(f"{case_id} has no annotation any more.")
        found, _ = read_annotation(
            case.annotation,
            self.dataset,
            self.task,
            image=image,
            case_id=case_id,
            lazily=lazily,
        )
        return found


def sample(pairs: Array) -> list[list[float]]:
    """Return some of many pairs, evenly spread, with few digits."""
    step = max(1, math.ceil(len(pairs) / SHOWN))
    return [[float(f"{v:.4g}") for v in pair] for pair in pairs[::step].tolist()]
