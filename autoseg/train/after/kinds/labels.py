"""Label maps: how sure probabilities may be is learnt from the validation cases."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from autoseg.datasets.annotations import read_annotation
from autoseg.metrics.calibration import together
from autoseg.model.model import Model
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.readouts.sight import Sink
from autoseg.spec.image import Geometry
from autoseg.train.after.calibration import Sample, sample_file, sampling
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.confidence import ALL
from autoseg.workspace import SAMPLES

logger = logging.getLogger(__name__)


@AFTER_KINDS.register
class AfterLabels(AfterKind):
    """Voxels are drawn while cases are predicted; they say the temperature."""

    @property
    def _learns(self) -> bool:
        """Whether validation cases were held back, and are decided by voxels."""
        return self.job.fold != ALL and self.job.task.pointwise is not None

    @property
    def _samples(self) -> Path:
        return self.job.folder / SAMPLES

    def watching(self, model: Model) -> Mapping[str, Any]:
        return {"sink": self._sink} if self._learns else {}

    def _sink(self, job: PredictionJob) -> AbstractContextManager[Sink | None]:
        """Give what draws voxels of a case whose annotation says what is true."""
        if job.case.annotation is None:
            return nullcontext()
        drawn, case_id = job.case.annotation, job.case.id
        dataset, task = self.job.dataset, self.job.task

        def truth(image: Geometry) -> Any:
            found, _ = read_annotation(
                drawn, dataset, task, image=image, case_id=case_id, lazily=True
            )
            return found

        return sampling(sample_file(self._samples, case_id), task, truth)

    def learn(self, predictions: Path) -> str:
        if not self._learns:
            return ""
        files = (sample_file(self._samples, case) for case in self.job.validation)
        head = self.job.task.voxel_head
        evidence = together(
            Sample.load(file).evidence(head) for file in files if file.is_file()
        )
        if not evidence.losses:
            return ""
        evidence.save(self.job.folder)
        return evidence.text()
