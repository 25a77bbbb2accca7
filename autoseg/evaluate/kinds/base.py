"""The interface of how predictions of one kind are found, read and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from autoseg.datasets.annotations import read_annotation, read_prediction
from autoseg.errors import AutosegError, FormatError
from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.grids import differing_grids
from autoseg.evaluate.point_files import geometry_of
from autoseg.formats.base import find_format
from autoseg.formats.geometry import may_differ_in_unit
from autoseg.formats.header import measured_in
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.units import common_unit
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task


class EvaluateKind:
    """Scores cases, each from its two files.

    As it stands, there is a file for each case, both are read on their own, and the
    task scores them. A kind overrides what is otherwise.

    Parameters
    ----------
    task : Task
        What annotations mean, and how they are scored.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    options : mapping of str to Any
        For `Task.score`, which knows them all.
    images : sequence of Case
        Where else than in the data set images are.

    Attributes
    ----------
    unit : str
        Of the grids that were read last.
    lengths : str or None
        Unit that all lengths are told in; None: as each file says.
    """

    def __init__(
        self,
        task: Task,
        dataset: Dataset | None,
        options: Mapping[str, Any],
        images: Sequence[Case] = (),
    ) -> None:
        self.task = task
        self.dataset = dataset
        self.options = dict(options)
        self.images = images
        self.unit = "px"
        self.lengths = None if dataset is None else dataset.lengths

    def files(self, folder: Path) -> dict[str, Path]:
        """Return the file of each case in a folder of predictions or annotations."""
        return files_by_case(folder)

    def look_ahead(self, annotations: Mapping[str, Path], workers: int | None) -> None:
        """Learn from all annotations what scoring each case needs to know.

        Parameters
        ----------
        annotations : mapping of str to Path
            Of the cases that will be scored.
        workers : int or None
            Cases at a time.
        """

    def learn_unit(self, annotations: Mapping[str, Path]) -> None:
        """Learn in which unit lengths are told, where files may be in several.

        Parameters
        ----------
        annotations : mapping of str to Path
            Of the cases that will be scored.
        """
        training = () if self.dataset is None else self.dataset.training
        files = [path for case in training for path in case.images]
        files += annotations.values()
        if self.lengths is None and may_differ_in_unit(files, self.dataset):
            units = [self._unit(case, path) for case, path in annotations.items()]
            self.lengths = common_unit(unit for unit in units if unit is not None)

    def _unit(self, case: str, annotation: Path) -> str | None:
        """Return the unit of one case's grid; None if nobody can say."""
        given = self.dataset
        with suppress(AutosegError, OSError):  # they fail again in being scored
            grid = self.image_of(case)
            if grid is None and given is None:
                grid = find_format(annotation).geometry(annotation, None, None, 1)
            elif grid is None and given is not None:
                reader = find_format(annotation, given.format)
                grid = reader.geometry(annotation, given.spacing, given.unit, 1)
            return None if grid is None else grid.unit
        return None

    def score(self, case: str, prediction: Path, annotation: Path) -> Scores:
        """Return the scores of a case, by class and then by metric.

        Raises
        ------
        FormatError, DatasetError
            If a file cannot be read, or they do not lie on one grid.
        """
        predicted, its_geometry = self.read_prediction(prediction, case)
        reference, geometry = self.read_reference(annotation, its_geometry, case)
        reason = differing_grids(its_geometry, geometry)
        if reason:
            raise FormatError(
                f"{prediction.name} is not on the grid of its annotation: {reason}. "
                "Write predictions in the geometry of the image."
            )
        self.unit = geometry.unit
        return self.task.score(predicted, reference, geometry.spacing, **self.options)

    def read_prediction(self, path: Path, case: str) -> tuple[Any, Geometry]:
        """Return a prediction in the task's inner form, and the grid it lies on."""
        return read_prediction(path, self.dataset, self.task)

    def read(
        self, path: Path, image: Geometry | None = None, case: str | None = None
    ) -> tuple[Any, Geometry]:
        """Return what is in a file in the task's inner form, and its grid."""
        return read_annotation(path, self.dataset, self.task, image=image, case_id=case)

    def read_reference(
        self, path: Path, image: Geometry | None, case: str
    ) -> tuple[Any, Geometry]:
        """Return what is in a case's annotation, and the grid that it counts on.

        In a data set, voxels of annotation and image are matched by their index,
        whatever the annotation's header says. So the image says where they lie.
        """
        reference, geometry = self.read(path, image, case)
        training = self.dataset.training if self.dataset is not None else ()
        if any(one.id == case and one.annotation == path for one in training):
            its_image = self.image_of(case)
            if its_image is not None and its_image.shape == geometry.shape:
                geometry = its_image
        return reference, measured_in(geometry, self.lengths)

    def image_of(self, case: str) -> Geometry | None:
        """Return the geometry of a case's image, if it is known where that is."""
        return geometry_of(case, self.dataset, self.images)

    def summed(self, cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
        """Return what `Summary.points` says beside the statistics of each class."""
        return {}
