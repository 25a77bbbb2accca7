"""Points: those that were not found surely are unknown, and count for nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autoseg.datasets.points import read_points, write_points
from autoseg.predict.job import Job
from autoseg.spec.points import PRESENT, UNKNOWN, Points
from autoseg.train.teach.kinds import TEACH_KINDS
from autoseg.train.teach.kinds.base import TeachKind


@TEACH_KINDS.register
class TeachPoints(TeachKind):
    """A point is sure unless its validation taught that such scores are rare.

    That is ``low_confidence``; of a landmark that too few were found of to tell, the
    score has to be as high as is asked for.
    """

    def annotate(self, job: Job, folder: Path) -> tuple[Path, float] | None:
        found, geometry = read_points(job.output, None, None, job.case.id)
        count = len(found.names)
        low = found.details.get("low_confidence", np.full(count, np.nan))
        low = np.array([np.nan if v is None else float(v) for v in low])
        scores = np.nan_to_num(found.details.get("score", np.zeros(count)))
        sure = np.where(np.isnan(low), scores >= self.sure, low == 0)
        sure &= found.status == PRESENT
        if not sure.any():
            return None
        target = folder / f"{job.case.id}.json"
        points = Points(
            names=found.names,
            coordinates=np.where(sure[:, None], found.coordinates, np.nan),
            status=np.where(sure, PRESENT, UNKNOWN).astype(np.int8),
        )
        write_points(target, points, geometry)
        return target, float(sure.mean())
