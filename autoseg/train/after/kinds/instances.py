"""Instances: how outputs are decoded is tuned on the validation cases."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from autoseg.model.decoding import Decoding
from autoseg.model.model import Model
from autoseg.predict.job import Job as PredictionJob
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.decoding import FoldDecoding, tunes
from autoseg.workspace import CHECKPOINT_FINAL, DECODING, UNCERTAINTY

logger = logging.getLogger(__name__)


@AFTER_KINDS.register
class AfterInstances(AfterKind):
    """Each case is predicted with parameters in which it had no say."""

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
        where = self.device, None, place / UNCERTAINTY
        decoding = FoldDecoding(place, model, self.job.dataset, *where)
        decoding.predict([waiting], decoding.choose([waiting.case.id]))

    def clean(self, model: Model) -> None:
        if tunes(model):
            self._decoding(model, None).clean()

    def _decoding(self, model: Model, previous: Path | None) -> FoldDecoding:
        job = self.job
        where = self.device, previous, self.qualities
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
