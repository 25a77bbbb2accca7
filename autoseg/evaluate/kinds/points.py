"""Points: one file can hold all cases, and rarely says in which image they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.points import is_origin
from autoseg.errors import AutosegError, some_of
from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind, Pair
from autoseg.evaluate.point_files import point_files
from autoseg.evaluate.points import summarize_points
from autoseg.spec.image import Geometry

SHOWN = 5  # cases that a message names


@EVALUATE_KINDS.register
class PointsEvaluation(EvaluateKind):
    """Predictions lie in the case's image, and all points are summed up together."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._pairs: dict[str, Pair] = {}

    def pair(self, case: str, annotation: Path, prediction: Path | None = None) -> Pair:
        self._pairs[case] = super().pair(case, annotation, prediction)
        return self._pairs[case]

    def files(self, folder: Path) -> dict[str, Path]:
        return point_files(folder, self.dataset)

    def read_prediction(self, path: Path, case: str) -> tuple[Any, Geometry]:
        return self.read(path, self.image_of(case), case)  # our own say it themselves

    def remarks(self, cases: Mapping[str, Scores]) -> list[str]:
        zeros: dict[tuple[str, str], list[str]] = {}
        for case in cases.keys() & self._pairs.keys():
            for side, name in self._at_origin(self._pairs[case]):
                zeros.setdefault((name, side), []).append(case)
        return [
            f"{name!r} is at 0 along all axes in {len(found)} {side}s "
            f"({some_of(sorted(found), SHOWN)}) and scored so. If it was not set or "
            "not there, leave it empty in the file: no coordinates, or a status."
            for (name, side), found in sorted(zeros.items())
            if len(found) > 1
        ]

    def _at_origin(self, pair: Pair) -> Iterator[tuple[str, str]]:
        """Yield what was probably never set: the side and the landmark."""
        if pair.prediction is None:
            return
        with suppress(AutosegError, OSError):  # said where it was scored
            own = self.knowing(pair.training, pair.test, pair.images)
            predicted, geometry = own.read_prediction(pair.prediction, pair.case)
            drawn, image = own.read_reference(pair.annotation, geometry, pair.case)
            sides = ("annotation", drawn, image), ("prediction", predicted, geometry)
            for side, points, grid in sides:
                for row in np.flatnonzero(points.present):
                    if is_origin(points.coordinates[row], grid):
                        yield side, points.names[row]

    def summed(self, cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
        return summarize_points(cases)
