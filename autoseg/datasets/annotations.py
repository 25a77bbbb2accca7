"""Read the annotation of a case in the inner form of its task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoseg.datasets.groups import group_finder
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.errors import DatasetError
from autoseg.spec.dataset import KEY, Case, Dataset, annotated_in, entries_of
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task


def read_annotation(
    path: Path,
    dataset: Dataset | None,
    task: Task,
    *,
    image: Geometry | None = None,
    case_id: str | None = None,
    lazily: bool = False,
) -> tuple[Any, Geometry]:
    """Read what a person drew.

    Parameters
    ----------
    path : Path
        Of an annotation.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    task : Task
        What annotations mean.
    image : Geometry, optional
        Of the image: points are in its voxels, and their files rarely say which. A
        label map with other axes in the same place is turned to it.
    case_id : str, optional
        Which case, where a file has several; default: by the file's name.
    lazily : bool
        Leave a large label map in its file, if the format can.

    Returns
    -------
    annotation
        In the task's inner form; it knows which classes it speaks of, where
        dataset.json says that these are not all.
    geometry : Geometry
        Of the grid that it lies on.

    Raises
    ------
    FormatError, DatasetError
        If it cannot be read, means nothing to the task, or has other axes than its
        image and lies elsewhere; both name the file.
    """
    kind = DATASET_KINDS[task.kind]()
    found, geometry = (kind.read_lazily if lazily else kind.read)(
        path, dataset, task, image, case_id
    )
    if dataset is not None and KEY in dataset.raw:
        annotated = annotated_of(dataset, case_id, path)
        if annotated is not None:
            found = _partly(found, annotated, task, path)
    return found, geometry


def annotation_of(case: Case, dataset: Dataset, task: Task, image: Geometry) -> Any:
    """Read the annotation of a case to learn from it, and refuse what cannot be meant.

    Parameters
    ----------
    case : Case
        Of training.
    dataset : Dataset
        The data set.
    task : Task
        What annotations mean.
    image : Geometry
        Of the case's image.

    Returns
    -------
    annotation
        In the task's inner form, on the grid of the image; a large label map may still
        be in its file.

    Raises
    ------
    FormatError, DatasetError
        See `read_annotation`; or if there is none, if it is on another grid, or if it
        lies where the image is not.
    """
    if case.annotation is None:
        raise DatasetError(f"case {case.id} has no annotation; put one into labelsTr.")
    annotation, geometry = read_annotation(
        case.annotation, dataset, task, image=image, case_id=case.id, lazily=True
    )
    if geometry.shape != image.shape:
        raise DatasetError(
            f"{case.annotation} has shape {geometry.shape}, its image {image.shape}; "
            "both must be on one grid. Resample one of them."
        )
    wrong = DATASET_KINDS[task.kind]().misplaced(
        annotation, case.annotation, image, dataset
    )
    if wrong is not None:
        raise DatasetError(f"{wrong.file}: {wrong.found} {wrong.fix}")
    return annotation


def annotated_of(
    dataset: Dataset, case_id: str | None, path: Path
) -> tuple[str, ...] | None:
    """Return which classes the annotation of a case speaks of; None: all.

    Parameters
    ----------
    dataset : Dataset
        Says so, also of cases that it does not have itself.
    case_id : str or None
        Which case; None: by the annotation's file.
    path : Path
        Of the annotation.
    """
    for case in dataset.training:
        if case.id == case_id or (case_id is None and case.annotation == path):
            return case.annotated
    name = case_id or path.name.removesuffix(dataset.annotation_ending)
    group = group_finder(dataset.raw.get("groups"))(name)
    return annotated_in(entries_of(dataset.raw), name, group)


def _partly(found: Any, annotated: tuple[str, ...], task: Task, path: Path) -> Any:
    try:
        return task.partly(found, annotated)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None


def read_prediction(
    path: Path,
    dataset: Dataset | None,
    task: Task,
    *,
    image: Geometry | None = None,
    case_id: str | None = None,
    lazily: bool = False,
) -> tuple[Any, Geometry]:
    """Read what a model predicted, which is written as people draw.

    It may be read otherwise: a prediction has nothing that nobody annotated, and a map
    of ids is one even where people drew masks of the foreground.

    Parameters
    ----------
    path : Path
        Of a prediction.
    dataset, task, image, case_id, lazily
        As `read_annotation` takes them.

    Returns
    -------
    annotation
        In the task's inner form.
    geometry : Geometry
        Of the grid that it lies on.

    Raises
    ------
    FormatError, DatasetError
        See `read_annotation`.
    """
    kind = DATASET_KINDS[task.kind]()
    return kind.read_prediction(path, dataset, task, image, case_id, lazily)
