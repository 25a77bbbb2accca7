"""Points: a file for each case, or one for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.frames import strayed
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.base import DatasetKind
from autoseg.datasets.point_tables import find_point_table
from autoseg.datasets.points import conventions, read_points, write_points
from autoseg.datasets.vain import Vain, never_present
from autoseg.errors import DatasetError, UsageError
from autoseg.formats.base import match_ending
from autoseg.pointfiles.base import point_endings, written_endings
from autoseg.pointfiles.convention import Convention
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, STATUS, UNKNOWN, Points
from autoseg.tasks.base import Task

TABLE = ".csv"  # says nothing of its coordinates


@DATASET_KINDS.register
class PointFiles(DatasetKind):
    """Named points in any file that `autoseg.pointfiles` reads."""

    maps_first = False
    called_files = "points"
    called = "landmarks"

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

    def corrected(self, annotation: Any, dataset: Dataset, task: Task) -> Any:
        if not isinstance(annotation, Points):
            raise UsageError(
                f"{dataset.name} has {self.called}; label maps mean nothing."
            )
        return _complete(annotation, conventions(dataset)[0] or task.classes)

    def check_file(self, path: Path, dataset: Dataset) -> None:
        sharing = [case.id for case in dataset.training if case.annotation == path]
        if len(sharing) > 1:
            raise UsageError(
                f"{path} has the points of {len(sharing)} cases, and one would be "
                "written. Give each case a file of its own, labelsTr/CASE.json."
            )
        name = path.name.lower()
        states = not name.endswith(TABLE) or "coordinates" not in dataset.raw
        if not states or not match_ending(name, written_endings()):
            raise UsageError(
                f"{path.name}: points are written as {', '.join(written_endings())}, "
                f"and as {TABLE} only without `coordinates` in dataset.json, which "
                "such a table would not follow. Give the data set another kind of file."
            )

    def fits(self, annotation: Any, image: Geometry) -> bool:
        return True

    def write(
        self,
        path: Path,
        annotation: Any,
        dataset: Dataset,
        task: Task,
        geometry: Geometry,
    ) -> None:
        write_points(path, annotation, geometry)


def _complete(points: Points, names: Sequence[str]) -> Points:
    """Return points with all landmarks of a data set, in its order.

    Raises
    ------
    DatasetError
        If one has a name that the data set does not know.
    """
    others = [name for name in points.names if name not in names]
    if others:
        raise DatasetError(
            f"The data set has no landmark {', '.join(others)}; it has "
            f"{', '.join(names)}."
        )
    at = {name: number for number, name in enumerate(points.names)}
    places = np.full((len(names), points.dim), np.nan)
    status = np.full(len(names), UNKNOWN, np.int8)
    for number, name in enumerate(names):
        if name in at:
            places[number] = points.coordinates[at[name]]
            status[number] = points.status[at[name]]
    return Points(tuple(names), places, status)
