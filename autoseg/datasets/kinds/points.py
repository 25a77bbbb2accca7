"""Points: a file for each case, or one for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from autoseg.datasets.frames import strayed
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.base import DatasetKind
from autoseg.datasets.point_tables import find_point_table
from autoseg.datasets.points import read_points
from autoseg.datasets.vain import Vain, never_present
from autoseg.pointfiles.base import point_endings
from autoseg.pointfiles.convention import Convention
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, STATUS
from autoseg.tasks.base import Task


@DATASET_KINDS.register
class PointFiles(DatasetKind):
    """Named points in any file that `autoseg.pointfiles` reads."""

    maps_first = False

    @property
    def endings(self) -> tuple[str, ...]:
        return (*super().endings, *point_endings())

    def shared(self, folder: Path, ids: Set[str]) -> Path | None:
        return find_point_table(folder, ids)

    def check_description(self, dataset: Dataset) -> None:
        Convention().changed(dataset.raw.get("coordinates") or {})

    def vain(
        self, dataset: Dataset, task: Task, measured: Mapping[str, Any]
    ) -> Vain | None:
        counts = measured.get("status", {}).values()
        present = any(count[STATUS[PRESENT]] for count in counts)
        return super().vain(dataset, task, measured) or never_present(dataset, present)

    def misplaced(
        self, annotation: Any, path: Path, image: Geometry, dataset: Dataset
    ) -> Vain | None:
        found = strayed(annotation, image, path, dataset)
        return None if found is None or not found.severe else Vain(path, *found[:2])

    def read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        points, geometry = read_points(path, dataset, image, case_id)
        return task.read(points), geometry
