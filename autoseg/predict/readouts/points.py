"""Landmarks: named points, from the best peak of each output.

No outputs of all landmarks times the volume ever exist: windows are read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.points import ENDING, read_points, write_points
from autoseg.errors import UsageError
from autoseg.model.confidence import judged
from autoseg.model.model import Model
from autoseg.pointfiles.base import written_endings
from autoseg.predict.backends import BACKENDS
from autoseg.predict.job import Job
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._points.files import (
    check_point_files,
    point_files,
    write_point_files,
)
from autoseg.predict.readouts._points.fine import find_landmarks
from autoseg.predict.readouts.base import Readout
from autoseg.predict.readouts.consensus import average
from autoseg.predict.readouts.sight import Opinion, Sight, Sink
from autoseg.predict.readouts.types import (
    RTSTRUCT,
    TYPES,
    write_points_of_series,
)
from autoseg.predict.readouts.uncertainty import Doubt, mean_score
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry, Image
from autoseg.spec.points import Points
from autoseg.tasks.landmark import AT_ONCE, LandmarkTask

OUTPUT_TYPES = "label_files"  # how `wanted_files` is told of --output-type


@READOUTS.register
class PointReadout(Readout):
    """Named points with their scores.

    A second stage looks more closely at where the first one found them.
    """

    refines = True
    turns = True
    file_option = "point_files"
    only_beside = True
    task: LandmarkTask

    @classmethod
    def holds(cls, annotation: Any) -> bool:
        return isinstance(annotation, Points)

    @classmethod
    def endings(cls) -> tuple[str, ...]:
        return written_endings()

    @classmethod
    def ending(cls, case: Case, model: Model) -> str:
        return ENDING

    @property
    def outputs(self) -> int:
        return min(super().outputs, AT_ONCE)

    def check_options(self) -> None:
        super().check_options()
        backend = self.options.backend
        if not BACKENDS[backend].modules:
            raise UsageError(
                f"The backend {backend} predicts no landmarks. Give --backend torch."
            )

    def wanted_files(self, parts: int = 1, **asked: Collection[str]) -> Collection[str]:
        types = asked.pop(OUTPUT_TYPES, ())
        others = [name for name in types if name != RTSTRUCT]
        if others:
            raise UsageError(
                f"--output-type {others[0]}: this model finds landmarks, which are "
                f"written as .json, and of DICOM series as {RTSTRUCT} beside it."
            )
        return (*super().wanted_files(parts, **asked), *types)

    def check_files(self, files: Collection[str], parts: int) -> None:
        check_point_files(files, self.model.plan.dim)
        if files and parts > 1:
            raise UsageError(
                "Files of points hold all cases; write them by a last call without "
                "parts, with --continue-prediction."
            )

    def look(self, sight: Sight) -> Points:
        _check_no_sink(sight.sink)
        modules = [network.module for network in sight.networks]  # type: ignore[attr-defined]
        for module in modules:
            module.late = True
        points = find_landmarks(
            modules,
            sight.prepared,
            sight.windows,
            self.task,
            sight.coarse,
            prior=self.model.shapes,
            stride=self.model.settings.head_stride,
            precision=self.options.precision,
            progress=sight.progress,
            copies=self.options.copies,
        )
        return self._judged(points, sight.prepared.placement.geometry)

    def together(
        self,
        opinions: Sequence[Opinion],
        image: Image,
        sink: Sink | None,
        doubt: Doubt | None,
    ) -> Points:
        """Return the mean of all; what the first model knows of trust is of that."""
        _check_no_sink(sink)
        found = [one.found for one in opinions]
        geometry = image.geometry
        return self._judged(average(found, self.task, geometry.spacing), geometry)

    def _judged(self, points: Points, geometry: Geometry) -> Points:
        return judged(points, geometry, self.model.plan, self.model.confidence)

    def quality(self, found: Any, doubt: Doubt | None) -> float | None:
        scores = found.details.get("score", ())
        return mean_score(scores[found.present] if len(scores) else scores)

    def read(self, file: Path, geometry: Geometry) -> Points:
        points, _ = read_points(file, self.model.describe(), geometry)
        return points

    def write(
        self,
        found: Any,
        job: Job,
        geometry: Geometry,
        image: Callable[[], Image],
        files: Collection[str] = (),
    ) -> None:
        if RTSTRUCT in files:
            write_points_of_series(found, geometry, job, self.model)
        write_points(job.output, found, geometry)

    def files_of(self, job: Job, files: Collection[str]) -> list[Path]:
        path = job.output.with_name(f"{job.case.id}{TYPES[RTSTRUCT]}")
        return [path] if RTSTRUCT in files else []

    def write_all(self, jobs: Sequence[Job], files: Collection[str]) -> None:
        write_point_files(jobs, _of_all(files))

    def files_of_all(self, jobs: Sequence[Job], files: Collection[str]) -> list[Path]:
        return point_files(jobs, _of_all(files))

    @classmethod
    def save(cls, path: Path, annotation: Any, geometry: Geometry) -> None:
        write_points(path, annotation, geometry)


def _of_all(files: Collection[str]) -> list[str]:
    """Return those files that are made of the predictions of all cases."""
    return [name for name in files if name != RTSTRUCT]


def _check_no_sink(sink: Sink | None) -> None:
    if sink is not None:
        raise UsageError("Landmarks have no probabilities to save.")
