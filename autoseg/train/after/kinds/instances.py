"""Instances: validation cases tune decoding, and tell what scores mean."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation, read_prediction
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.instancefiles.files import TABLE
from autoseg.instancefiles.table import read_scores
from autoseg.metrics.object_scores import ScoreEvidence
from autoseg.model.decoding import Decoding
from autoseg.model.model import Model
from autoseg.parallel import map_cases
from autoseg.predict.job import Job as PredictionJob
from autoseg.spec.instances import as_instances
from autoseg.tasks.instance.scores import judged
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.confidence import ALL
from autoseg.train.after.kinds.decoding import FoldDecoding, tunes
from autoseg.workspace import CHECKPOINT_FINAL, DECODING, UNCERTAINTY

logger = logging.getLogger(__name__)


@AFTER_KINDS.register
class AfterInstances(AfterKind):
    """Each case is predicted with parameters in which it had no say.

    Its scores are those of the network, from which it is learnt what scores of new
    images are to be.
    """

    def tune(self, model: Model, previous: Path | None) -> None:
        if tunes(model):
            self._decoding(model, previous).choose(self.job.validation)

    def predict(
        self, model: Model, waiting: Sequence[PredictionJob], previous: Path | None
    ) -> None:
        if not tunes(model):
            super().predict(model, waiting, previous)
            return
        if waiting:
            decoding = self._decoding(model, previous)
            decoding.predict(waiting, decoding.choose(self.job.validation))

    def rehearse(self, model: Model, waiting: PredictionJob) -> None:
        if not tunes(model):
            super().rehearse(model, waiting)
            return
        place = waiting.output.parent
        (place / CHECKPOINT_FINAL).touch()  # outputs that are kept are of this one
        where = self.options, None, place / UNCERTAINTY
        decoding = FoldDecoding(place, model, self.job.dataset, *where)
        decoding.predict([waiting], decoding.choose([waiting.case.id]))

    def learn(self, predictions: Path) -> str:
        job = self.job
        if job.fold == ALL:  # it knows the cases
            return ""
        files = EVALUATE_KINDS["instances"](job.task, job.dataset, {}).files(
            predictions
        )
        tables: dict[str, NDArray[np.float64]] = {}

        def look(case_id: str) -> NDArray[np.float64]:
            path, drawn = files[case_id], job.dataset.case(case_id).annotation
            table = path.with_name(f"{case_id}{TABLE}")
            if drawn is None or not table.is_file():
                return np.zeros((0, 3))
            said, _ = read_prediction(path, job.dataset, job.task, case_id=case_id)
            truth, _ = read_annotation(drawn, job.dataset, job.task, case_id=case_id)
            known = read_scores(table)
            return judged(as_instances(said), as_instances(truth), known)

        there = [case for case in job.validation if case in files]
        map_cases(look, there, stage="scores", done=tables.__setitem__)
        rows = [tables[case][:, [0, 2]] for case in there if len(tables[case])]
        evidence = ScoreEvidence.of_cases(rows)
        if not evidence.scores:
            return ""
        evidence.save(job.folder)
        return evidence.text()

    def clean(self, model: Model) -> None:
        if tunes(model):
            self._decoding(model, None).clean()

    def _decoding(self, model: Model, previous: Path | None) -> FoldDecoding:
        job = self.job
        where = self.options, previous, self.qualities
        return FoldDecoding(job.folder, model, job.dataset, *where)

    def remarks(self) -> str:
        path = self.job.folder / DECODING
        if not path.is_file():
            return ""
        decoding = Decoding.load(path)
        logger.debug("%s:\n%s", path, decoding.text())
        said = f"How objects are read from the network's outputs was tuned: {path}"
        if decoding.kept:
            said += (
                "\nThe scores above are of predictions with parameters that were "
                "chosen on the other half of these cases; `autoseg predict` takes the "
                "best."
            )
        return said
