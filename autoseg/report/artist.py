"""Cases of a data set as pictures, whatever kind of annotation they have."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.annotations import read_annotation, read_prediction
from autoseg.errors import UsageError
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind
from autoseg.formats.base import read_image
from autoseg.geometry.mapped import COPIES, keeping_to
from autoseg.report.kinds import REPORT_KINDS
from autoseg.report.kinds.base import ReportKind
from autoseg.report.pictures import turned as turning
from autoseg.report.pictures.case import CaseView
from autoseg.report.pictures.turned import Turned
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import choose_task, make_task
from autoseg.tasks.base import Task


@dataclass(frozen=True, kw_only=True)
class Artist:
    """Turns cases of one data set into views.

    Parameters
    ----------
    dataset : Dataset
        Says how files are read and what their values mean.

    Attributes
    ----------
    task : Task
        What annotations mean.
    kind : ReportKind
        What is shown of them.
    """

    dataset: Dataset
    task: Task = field(init=False)
    kind: ReportKind = field(init=False)

    def __post_init__(self) -> None:
        task = make_task(choose_task(self.dataset))
        object.__setattr__(self, "task", task)
        kind = REPORT_KINDS.get(task.kind, ReportKind)
        object.__setattr__(self, "kind", kind(task, self.dataset.raw))

    @property
    def colors(self) -> dict[str, str]:
        """A color for each class."""
        return self.kind.colors

    def predictions(self, folder: Path) -> dict[str, Path]:
        """Return the predictions in a folder by case, whatever is beside them."""
        kind = EVALUATE_KINDS.get(self.task.kind, EvaluateKind)
        return kind(self.task, self.dataset, {}).files(folder)

    def view(
        self, case: Case, prediction: Path | None, annotation: Path | None
    ) -> CaseView:
        """Read one case for a picture.

        Parameters
        ----------
        case : Case
            With its image files.
        prediction, annotation : Path or None
            What is painted over it; of one alone, areas and their edges.

        Returns
        -------
        CaseView
            Medical volumes turned to ITK's standard orientation (LPS); of images that
            are far larger than a picture, every so many voxels (see `Turned`).
        """
        with keeping_to(COPIES * 4.0 * turning.SHOWN):
            image = read_image(case, self.dataset, lazily=True)
            found = self._found(case, image.geometry, prediction, annotation)
            turned = Turned(image.geometry)
            second = found[1] if len(found) > 1 else None
            return CaseView(
                image=turned.array(image.array).astype(np.float32, copy=False),
                spacing=turned.spacing,
                layer=self.kind.layer(found[0], second, turned),
                unit=image.geometry.unit,
                steps=turned.steps,
            )

    def _found(
        self,
        case: Case,
        image: Geometry,
        prediction: Path | None,
        annotation: Path | None,
    ) -> list[Any]:
        """Return a prediction and an annotation, as far as they are there."""
        found = [
            read(path, self.dataset, self.task, image=image, case_id=case.id)[0]
            for path, read in (
                (prediction, partial(read_prediction, lazily=True)),
                (annotation, partial(read_annotation, lazily=True)),
            )
            if path is not None
        ]
        if not found:
            raise UsageError(f"{case.id} has neither a prediction nor an annotation.")
        return found
