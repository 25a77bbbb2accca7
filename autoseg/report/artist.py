"""Cases of a data set as pictures, whatever kind of annotation they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import UsageError
from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.point_files import point_files
from autoseg.formats.base import read_image
from autoseg.geometry.orientation import Turn, turn_to
from autoseg.report.pictures.case import CaseView
from autoseg.report.pictures.layers import (
    InstanceLayer,
    LabelLayer,
    Layer,
    PointLayer,
    class_colors,
)
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS

Array = NDArray[Any]

HEAD_UP = "LPS"  # ITK's standard: every patient lies the same way in every picture


@dataclass(frozen=True, kw_only=True)
class Artist:
    """Turns cases of one data set into views.

    Parameters
    ----------
    dataset : Dataset
        Says how files are read and what their values mean.
    """

    dataset: Dataset
    task: Any = field(init=False)

    def __post_init__(self) -> None:
        task = TASKS[self.dataset.task]
        made = task(**task.from_dataset(self.dataset))
        object.__setattr__(self, "task", made)
        if self.dataset.task not in LAYERS:
            raise UsageError(f"the task {self.dataset.task!r} has no pictures yet.")

    @property
    def colors(self) -> dict[str, str]:
        """A color for each class."""
        return class_colors(getattr(self.task, "classes", ()))

    def predictions(self, folder: Path) -> dict[str, Path]:
        """Return the predictions in a folder by case, whatever is beside them."""
        if self.task.kind == "points":
            return point_files(folder, self.dataset)
        return files_by_case(folder)

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
            Medical volumes turned to ITK's standard orientation (LPS).
        """
        image = read_image(case, self.dataset)
        turned = _Turned(image.geometry)
        found = [
            self._read(path, image.geometry, case.id)
            for path in (prediction, annotation)
            if path is not None
        ]
        if not found:
            raise UsageError(f"{case.id} has neither a prediction nor an annotation.")
        second = found[1] if len(found) > 1 else None
        layer = LAYERS[self.dataset.task](self, found[0], second, turned)
        return CaseView(
            image=turned.array(image.array),
            spacing=turned.spacing,
            layer=layer,
            unit=image.geometry.unit,
        )

    def _read(self, path: Path, geometry: Geometry, case_id: str) -> Any:
        found, _ = read_annotation(
            path, self.dataset, self.task, image=geometry, case_id=case_id
        )
        return found


class _Turned:
    """Turns what belongs to an image the way that its picture is turned."""

    def __init__(self, geometry: Geometry) -> None:
        self.shape = geometry.shape
        self.spacing = geometry.spacing
        self.turn: Turn | None = None
        if geometry.dim == 3 and geometry.unit == "mm":
            self.turn = turn_to(geometry, HEAD_UP)
            self.shape = tuple(geometry.shape[axis] for axis in self.turn.axes)
            self.spacing = tuple(geometry.spacing[axis] for axis in self.turn.axes)
        self._before = geometry.shape

    def array(self, array: Array) -> Array:
        return array if self.turn is None else self.turn.apply(array)

    def points(self, points: Array) -> Array:
        if self.turn is None:
            return points
        return self.turn.apply_points(points, self._before)


def _regions(artist: Artist, first: Any, second: Any, turned: _Turned) -> Layer:
    members = {name: artist.task.members(name) for name in artist.task.classes}
    return LabelLayer(
        prediction=turned.array(np.asarray(first)),
        reference=None if second is None else turned.array(np.asarray(second)),
        members=members,
        colors=artist.colors,
    )


def _objects(artist: Artist, first: Any, second: Any, turned: _Turned) -> Layer:
    return InstanceLayer(
        prediction=turned.array(np.asarray(first)),
        reference=None if second is None else turned.array(np.asarray(second)),
    )


def _points(artist: Artist, first: Any, second: Any, turned: _Turned) -> Layer:
    predicted, reference = (first, second) if second is not None else (None, first)
    return PointLayer(
        shape=turned.shape,
        spacing=turned.spacing,
        prediction=_places(predicted, turned),
        radii=_radii(first),
        reference=_places(reference, turned),
        colors=artist.colors,
    )


def _radii(points: Any) -> dict[str, float]:
    """Return the radius that holds 95 % of the errors, of points that say it."""
    said = points.details.get("error_p95")
    if said is None:
        return {}
    radii = zip(points.names, np.asarray(said, np.float64).tolist(), strict=True)
    return {name: radius for name, radius in radii if np.isfinite(radius)}


def _places(points: Any, turned: _Turned) -> dict[str, Array]:
    if points is None:
        return {}
    there = points.present
    places = turned.points(points.coordinates[there])
    names = [name for name, known in zip(points.names, there, strict=True) if known]
    return dict(zip(names, places, strict=True))


# How the inner annotation of each task is painted.
LAYERS: Mapping[str, Callable[[Artist, Any, Any, _Turned], Layer]] = {
    "semantic": _regions,
    "instance": _objects,
    "landmark": _points,
}
