"""The interface of how predictions of one kind are found, read and scored."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from autoseg.datasets.annotations import read_annotation, read_prediction
from autoseg.datasets.series.drawn import is_drawn
from autoseg.errors import AutosegError, FormatError
from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.grids import differing_grids
from autoseg.evaluate.point_files import geometry_of
from autoseg.formats.base import find_format
from autoseg.formats.geometry import may_differ_in_unit
from autoseg.formats.header import measured_in
from autoseg.geometry.align import ElsewhereError, covers_same, turn_between
from autoseg.parallel import current_cluster
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.units import common_unit
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

Cases = tuple[Case, ...]
Kind = TypeVar("Kind", bound="EvaluateKind")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A case to score, and all that is known of it: this can be sent to a worker.

    Parameters
    ----------
    case : str
        Its id.
    annotation : Path
        The file.
    prediction : Path, optional
        The file; not where annotations alone are looked at.
    training, test, images : tuple of Case
        What the data set, and whoever named a folder of images, know of it.
    """

    case: str
    annotation: Path
    prediction: Path | None = None
    training: Cases = ()
    test: Cases = ()
    images: Cases = ()


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

    def pair(self, case: str, annotation: Path, prediction: Path | None = None) -> Pair:
        """Return a case with what is known of it."""
        known = [table.get(case, ()) for table in self._known]
        if current_cluster() is None:
            training, files = known[0], (annotation, prediction)
        else:  # workers are in another folder
            training = tuple(
                one if one.annotation == annotation else replace(one, annotation=None)
                for one in known[0]
            )
            files = annotation.absolute(), prediction and prediction.absolute()
        return Pair(
            case=case,
            annotation=files[0],
            prediction=files[1],
            training=training,
            test=known[1],
            images=known[2],
        )

    @cached_property
    def _known(self) -> tuple[dict[str, Cases], ...]:
        given = self.dataset
        tables: list[dict[str, Cases]] = []
        for cases in (
            () if given is None else given.training,
            () if given is None else given.test,
            self.images,
        ):
            tables.append({})
            for one in cases:
                tables[-1][one.id] = (*tables[-1].get(one.id, ()), one)
        return tuple(tables)

    def knowing(
        self: Kind, training: Cases = (), test: Cases = (), images: Cases = ()
    ) -> Kind:
        """Return this kind with what is known of some cases only."""
        own = copy.copy(self)
        own.__dict__.pop("_known", None)
        own.images = images
        if own.dataset is not None:
            own.dataset = replace(own.dataset, training=training, test=test)
        return own

    def score_pair(self, pair: Pair) -> tuple[Scores, str]:
        """Return the scores of a case, and the unit of its grid; see `score`."""
        if pair.prediction is None:
            raise ValueError(f"{pair.case}: nothing to score")
        own = self.knowing(pair.training, pair.test, pair.images)
        return own.score(pair.case, pair.prediction, pair.annotation), own.unit

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

    def learn_unit(
        self, annotations: Mapping[str, Path], predictions: Mapping[str, Path]
    ) -> None:
        """Learn in which unit lengths are told, where files may be in several.

        Parameters
        ----------
        annotations : mapping of str to Path
            Of the cases that will be scored.
        predictions : mapping of str to Path
            Of these: they may be in another unit, which does not count.
        """
        training = () if self.dataset is None else self.dataset.training
        files = [path for case in training for path in case.images]
        files += [*annotations.values(), *predictions.values()]
        if self.lengths is None and may_differ_in_unit(files, self.dataset):
            found = [self._unit(case, path) for case, path in annotations.items()]
            units = [unit for unit in found if unit is not None]
            one = set(units) - {"px"}
            self.lengths = one.pop() if len(one) == 1 else common_unit(units)

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
        grid = self._grid_of_drawn(prediction, annotation, case)
        predicted, its_geometry = (
            self.read_prediction(prediction, case)
            if grid is None
            else read_prediction(
                prediction,
                self.dataset,
                self.task,
                image=grid,
                case_id=case,
                lazily=True,
            )
        )
        try:
            reference, geometry = self.read_reference(annotation, its_geometry, case)
        except ElsewhereError as error:
            raise self._misplaced(error, prediction, its_geometry, case) from None
        reason = differing_grids(its_geometry, geometry)
        if reason:
            raise FormatError(
                f"{prediction.name} is not on the grid of its annotation: {reason}. "
                "Write predictions in the geometry of the image."
            )
        self.unit = geometry.unit
        return self.task.score(predicted, reference, geometry.spacing, **self.options)

    def _misplaced(
        self, error: ElsewhereError, prediction: Path, grid: Geometry, case: str
    ) -> AutosegError:
        """Return who is to blame where annotation and prediction have other axes."""
        image = self.image_of(case)
        if image is not None and turn_between(grid, image) is None:
            return error  # the prediction lies as its image does
        theirs, own = error.axes
        return FormatError(
            f"{prediction.name} is not on the grid of its annotation: its axes run as "
            f"{own}, the annotation's as {theirs}, and the two do not lie in the same "
            "place. Write predictions in the geometry of the image."
        )

    def _grid_of_drawn(
        self, prediction: Path, annotation: Path, case: str
    ) -> Geometry | None:
        """Return the grid that a DICOM prediction is read on; None of other files."""
        if not is_drawn(prediction):
            return None
        image = self.image_of(case)
        return self.read(annotation, None, case)[1] if image is None else image

    def read_prediction(self, path: Path, case: str) -> tuple[Any, Geometry]:
        """Return a prediction in the task's inner form, and the grid it lies on.

        Other programs may write it with other axes over the same place; then it is
        turned to its image, as annotations are.
        """
        how: dict[str, Any] = {"lazily": True}
        found, grid = read_prediction(path, self.dataset, self.task, **how)
        image = self.image_of(case)
        turn = None if image is None else turn_between(grid, image)
        if image is None or turn is None or not covers_same(grid, image, turn):
            return found, grid
        how |= {"image": image, "case_id": case}
        return read_prediction(path, self.dataset, self.task, **how)

    def read(
        self, path: Path, image: Geometry | None = None, case: str | None = None
    ) -> tuple[Any, Geometry]:
        """Return what is in a file in the task's inner form, and its grid."""
        return read_annotation(
            path, self.dataset, self.task, image=image, case_id=case, lazily=True
        )

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

    def remarks(self, cases: Mapping[str, Scores]) -> list[str]:
        """Return what is odd about all scores together, sentences for a person."""
        return []

    def summed(self, cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
        """Return what `Summary.points` says beside the statistics of each class."""
        return {}
