"""Cases of a data set as pictures, whatever kind of annotation they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.formats._base import read_image, read_labels
from autoseg.geometry.orientation import reorient
from autoseg.report._case_picture import CaseView
from autoseg.report._layers import LabelLayer, Layer, class_colors
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
        if made.annotation_kind not in LAYERS:
            raise UsageError(f"{made.annotation_kind} are not drawn yet.")

    @property
    def colors(self) -> dict[str, str]:
        """A color for each class."""
        return class_colors(getattr(self.task, "classes", ()))

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
        turn = _turn(image.geometry)
        layer = LAYERS[self.task.annotation_kind](self, prediction, annotation, turn)
        array, spacing = turn(image.array)
        return CaseView(
            image=array, spacing=spacing, layer=layer, unit=image.geometry.unit
        )


Turn = Callable[[Array], tuple[Array, tuple[float, ...]]]


def _turn(geometry: Geometry) -> Turn:
    """Return what turns an array of a geometry, and tells its spacing then."""
    if geometry.dim != 3 or geometry.unit != "mm":
        return lambda array: (array, geometry.spacing)

    def turn(array: Array) -> tuple[Array, tuple[float, ...]]:
        turned, its = reorient(array, geometry, HEAD_UP)
        return turned, its.spacing

    return turn


def _labels(
    artist: Artist, prediction: Path | None, annotation: Path | None, turn: Turn
) -> Layer:
    filled, lines = (
        None if path is None else turn(read_labels(path, artist.dataset)[0])[0]
        for path in (prediction, annotation)
    )
    if filled is None and lines is None:
        raise UsageError("a picture needs a prediction or an annotation.")
    members: Mapping[str, tuple[int, ...]] = {
        name: artist.task.labels[name] for name in artist.task.classes
    }
    return LabelLayer(
        prediction=np.asarray(lines if filled is None else filled),
        reference=None if filled is None else lines,
        members=members,
        colors=artist.colors,
    )


# One reader for each `Task.annotation_kind`.
LAYERS: Mapping[str, Callable[[Artist, Path | None, Path | None, Turn], Layer]] = {
    "labels": _labels,
}
