"""The interface of what follows the training of a fold, by kind of annotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.model.model import Model
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.lookup import readout_of
from autoseg.predict.readouts.uncertainty import Qualities
from autoseg.train.setup.job import Job
from autoseg.workspace import UNCERTAINTY, VALIDATION


class AfterKind:
    """What is done with a trained fold beside scoring its validation cases.

    As it stands, they are predicted as any other image, and it is kept how sure the
    predictions are. A kind overrides what it knows more about.

    Parameters
    ----------
    job : Job
        The fold.
    device : str
        Where to predict.
    """

    def __init__(self, job: Job, device: str) -> None:
        self.job, self.device = job, device

    def prepare(self) -> None:
        """Keep in the fold's folder what predictions need and the cases can say."""

    def predict(
        self, model: Model, waiting: Sequence[PredictionJob], previous: Path | None
    ) -> None:
        """Predict validation cases.

        Parameters
        ----------
        model : Model
            With this fold only.
        waiting : sequence of Job
            Those that are not there yet; there may be none.
        previous : Path or None
            In a cascade, the predictions of the stage before.

        Raises
        ------
        CaseErrors
            If some cases failed; the others are written.
        """
        if not waiting:
            return
        options = Options(device=self.device)
        readout = readout_of(model, options)
        predictor = Predictor(model, replace(options, uncertainty=readout.can_doubt))
        file = self.job.folder / VALIDATION / UNCERTAINTY
        qualities = Qualities(file) if readout.can_judge else None
        Pipeline(predictor=predictor, previous=previous, qualities=qualities).run(
            waiting, 1, 1
        )

    def learn(self, predictions: Path) -> str:
        """Learn from predictions of the validation cases, and keep it in the fold.

        Parameters
        ----------
        predictions : Path
            Their folder.

        Returns
        -------
        str
            What to say about it below the scores; mostly nothing.
        """
        return ""

    def remarks(self) -> str:
        """Return what there is to say of a fold that is validated; mostly nothing."""
        return ""
