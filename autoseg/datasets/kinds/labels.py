"""Label maps: one image file for each case, with the values that dataset.json names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.base import DatasetKind
from autoseg.datasets.series.drawn import folders_of_drawings
from autoseg.datasets.series.maps import read_map_on_image
from autoseg.datasets.vain import Vain, never_annotated, unwritable
from autoseg.errors import DatasetError
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task


@DATASET_KINDS.register
class LabelFiles(DatasetKind):
    """A label map in a file of its own, or in a folder of DICOM files."""

    def folders(self, labels: Path) -> dict[str, Path]:
        return folders_of_drawings(labels)

    def vain(
        self, dataset: Dataset, task: Task, measured: Mapping[str, Any]
    ) -> Vain | None:
        return (
            super().vain(dataset, task, measured)
            or unwritable(dataset, task.values)
            or never_annotated(dataset, task, measured.get("classes", ()))
        )

    def read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        names = task.value_names
        labels, geometry = read_map_on_image(path, dataset, image, case_id, names=names)
        return _inner(labels, task, path), geometry

    def read_lazily(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        if task.pointwise is None:  # may look around to understand a map
            return self.read(path, dataset, task, image, case_id)
        labels, geometry = read_map_on_image(
            path, dataset, image, case_id, names=task.value_names, lazily=True
        )
        if not isinstance(labels, Windowed):
            return _inner(labels, task, path), geometry
        kind = _inner(np.asarray(labels[(slice(0, 1),) * labels.ndim]), task, path)
        return labels.each(lambda part: _inner(part, task, path), kind.dtype), geometry


def _inner(labels: Any, task: Task, path: Path) -> Any:
    try:
        return task.read(labels)
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
