"""The interface of what a report shows and counts of annotations of one kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.evaluate.aggregate import Scores, metric_names
from autoseg.evaluate.measures import main_measure
from autoseg.report.calibration import Checked
from autoseg.report.pictures.layers import Layer, class_colors
from autoseg.report.pictures.map_layer import MapLayer
from autoseg.report.pictures.turned import Turned
from autoseg.report.statistics import (
    Region,
    Row,
    measure_regions,
    write_regions,
)
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.image import Image
from autoseg.tasks.base import Task

Array = NDArray[Any]
Json = dict[str, Any]

EVERYTHING = "all"  # the class of what no class is known of


class ReportKind:
    """What is painted, measured and said of annotations.

    As it stands, for annotations that are maps of numbers: what is not 0 is painted in
    colors of its value, and is one region. A kind overrides what it knows more about.

    Parameters
    ----------
    task : Task
        What annotations mean.
    raw : mapping, optional
        dataset.json, whose colors count.

    Attributes
    ----------
    objects : str or None
        What is counted in a prediction, as a heading; None: only volumes are said.
    through : bool
        Pictures of volumes look through their whole depth.
    keeps_outputs : bool
        Calibration needs outputs of held-out cases, which can be predicted.
    inside : str
        Where intensities of a prediction are compared with those of training.
    measured : str
        Where intensities of training cases were measured.
    shows_classes : bool
        Colors in pictures are those of classes.
    marks, marks_alone : str
        What is drawn how in pictures: with a prediction, and of an annotation alone.
    doubt : str
        What ranks predictions without annotation.
    """

    objects: ClassVar[str | None] = None
    through: ClassVar[bool] = False
    keeps_outputs: bool = False
    inside: ClassVar[str] = "Inside of what was predicted"
    measured: ClassVar[str] = "inside of the classes"
    shows_classes: ClassVar[bool] = False
    marks: ClassVar[str] = "the brighter, the higher the value"
    marks_alone: ClassVar[str] = "the brighter, the higher the value"
    doubt: ClassVar[str] = "the mean score"

    def __init__(self, task: Task, raw: Mapping[str, Any] | None = None) -> None:
        self.task, self.raw = task, raw or {}

    @property
    def colors(self) -> dict[str, str]:
        """A color for each class."""
        return class_colors(self.task.classes, self.raw)

    # Pictures of cases

    def layer(self, first: Any, second: Any, turned: Turned) -> Layer:
        """Return what is painted over an image.

        Parameters
        ----------
        first : Any
            A prediction; an annotation if there is nothing else. In inner form.
        second : Any
            The annotation beside a prediction, or None.
        turned : Turned
            Turns arrays and points as the image was.

        Raises
        ------
        UsageError
            If nobody knows how to paint it.
        """
        return MapLayer(
            prediction=self._map(first, turned),
            reference=None if second is None else self._map(second, turned),
        )

    def _map(self, annotation: Any, turned: Turned) -> Array:
        array = (
            annotation if isinstance(annotation, Windowed) else np.asarray(annotation)
        )
        if array.shape != turned.before:
            raise UsageError(
                f"annotations of the kind {self.task.kind!r} are no maps, and nothing "
                "says how they are painted; a file in autoseg/report/kinds/ can."
            )
        return turned.array(array)

    # Scores beside pictures of an evaluation

    def metric(self, cases: Mapping[str, Scores]) -> str:
        """Return the measure that ranks cases."""
        return main_measure(metric_names(cases))

    def texts(self, scores: Scores, unit: str) -> dict[str, str]:
        """Return what stands beside a case, by class."""
        by = self.metric({"": scores})
        texts = {name: of.get(by, math.nan) for name, of in scores.items()}
        return {n: "-" if math.isnan(v) else f"{v:.3f}" for n, v in texts.items()}

    def foot(self, cases: Sequence[Scores]) -> str:
        """Return what stands below the cases that are shown."""
        return ""

    # Numbers of predictions

    def regions(self, annotation: Any) -> Iterable[Region]:
        """Return what is measured; classes that are not there are empty regions."""
        return [Region.of(EVERYTHING, np.asarray(annotation) != 0)]

    def measure(self, annotation: Any, image: Image) -> list[Row]:
        """Return a row of numbers for each thing in a prediction.

        Parameters
        ----------
        annotation : Any
            In inner form, on the grid of the image.
        image : Image
            Its channels are looked at; its geometry says where things are.
        """
        return measure_regions(self.regions(annotation), image)

    def write(
        self,
        folder: Path,
        cases: Mapping[str, Sequence[Row]],
        *,
        channels: Sequence[str],
        unit: str,
        dim: int,
    ) -> tuple[Path, Path]:
        """Write what `measure` gave; see `autoseg.report.statistics.write_regions`."""
        return write_regions(folder, cases, channels=channels, unit=unit, dim=dim)

    def amounts(
        self, annotation: Any, image: Image
    ) -> tuple[dict[str, float], dict[str, int]]:
        """Return by class the volume, and how many regions or things were found."""
        found = dict.fromkeys(self.task.classes, 0)
        volumes = dict.fromkeys(self.task.classes, 0.0)
        for row in self.measure(annotation, image):
            name = row["class"]
            volumes[name] = volumes.get(name, 0.0) + row["volume"]
            found[name] = found.get(name, 0) + (row["voxels"] > 0)
        return volumes, found

    def mask(self, annotation: Any, image: Image) -> Array:
        """Return where intensities are compared, shape S; `inside` says it in words."""
        return np.asarray(annotation) > 0

    # Confusion and calibration

    def confusion(self, checked: Checked) -> Json | None:
        """Return what was taken for what; None where there is one class only.

        Parameters
        ----------
        checked : Checked
            A configuration with its predictions of held-out cases.

        Returns
        -------
        dict of str to JSON value, or None
            See `autoseg.report.confusion.described`.
        """
        return None

    def calibration(self, checked: Checked) -> Json | None:
        """Return whether predictions know how good they are; None: nothing says it.

        Parameters
        ----------
        checked : Checked
            A configuration with its predictions of held-out cases.

        Returns
        -------
        dict of str to JSON value, or None
            ``kind``: ``"probabilities"``, ``"scores"`` or ``"errors"``; ``cases``; and
            for each class numbers of `autoseg.report.reliability`.
        """
        return None

    def no_calibration(self, where: str) -> str:
        """Return why there may be no calibration, and what to do.

        Parameters
        ----------
        where : str
            Data set and root as they are given to a command.
        """
        return "this task has none."
