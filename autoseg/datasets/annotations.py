"""Read the annotation of a case in the inner form of its task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoseg.datasets.instance_classes import with_classes
from autoseg.datasets.instance_files import is_many_files, read_many
from autoseg.datasets.points import read_points
from autoseg.errors import DatasetError
from autoseg.formats.base import find_format, read_labels
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task


def read_annotation(
    path: Path,
    dataset: Dataset | None,
    task: Task,
    *,
    image: Geometry | None = None,
    case_id: str | None = None,
) -> tuple[Any, Geometry]:
    """Read what a person drew, or what a model predicted in the same form.

    Parameters
    ----------
    path : Path
        Of an annotation.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    task : Task
        What annotations mean.
    image : Geometry, optional
        Of the image: points are in its voxels, and their files rarely say which.
    case_id : str, optional
        Which case, where a file has several; default: by the file's name.

    Returns
    -------
    annotation
        In the task's inner form.
    geometry : Geometry
        Of the grid that it lies on.

    Raises
    ------
    FormatError, DatasetError
        If it cannot be read, or means nothing to the task; both name the file.
    """
    if task.kind == "points":
        points, geometry = read_points(path, dataset, image, case_id)
        return task.read(points), geometry
    if task.class_names and is_many_files(path):
        instances, geometry = read_many(path, dataset, image, case_id, task.class_names)
        try:
            return task.read(instances), geometry
        except DatasetError as error:
            raise DatasetError(f"{path}: {case_id or path.stem}: {error}") from None
    if dataset is None:
        labels, geometry = find_format(path).read_labels(path)
    else:
        labels, geometry = read_labels(path, dataset)
    if len(task.class_names) > 1 and labels.min(initial=0) >= 0:
        return task.read(with_classes(path, labels, task.class_names)), geometry
    try:
        return task.read(labels), geometry
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
