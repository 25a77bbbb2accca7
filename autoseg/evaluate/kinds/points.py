"""Points: one file can hold all cases, and rarely says in which image they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind
from autoseg.evaluate.point_files import point_files
from autoseg.evaluate.points import summarize_points
from autoseg.spec.image import Geometry


@EVALUATE_KINDS.register
class PointsEvaluation(EvaluateKind):
    """Predictions lie in the case's image, and all points are summed up together."""

    def files(self, folder: Path) -> dict[str, Path]:
        return point_files(folder, self.dataset)

    def read_prediction(self, path: Path, case: str) -> tuple[Any, Geometry]:
        return self.read(path, self.image_of(case), case)  # our own say it themselves

    def summed(self, cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
        return summarize_points(cases)
