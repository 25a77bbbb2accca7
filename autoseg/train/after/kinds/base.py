"""The interface of what follows the training of a fold, by kind of annotation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.model.model import Model
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.lookup import readout_of
from autoseg.predict.readouts.uncertainty import Qualities, load_qualities
from autoseg.train.setup.job import Job
from autoseg.train.setup.ranks import ONE, Ranks
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
    ranks : Ranks
        Which of several processes this is. All of them predict; the first one does
        the rest alone.
    """

    def __init__(self, job: Job, device: str, ranks: Ranks = ONE) -> None:
        self.job, self.device, self.ranks = job, device, ranks

    @property
    def options(self) -> Options:
        """How cases are predicted."""
        return Options(device=self.device, max_memory=self.job.max_memory)

    @property
    def qualities(self) -> Path:
        """Where this process writes how sure its predictions are."""
        if self.ranks.first:
            return self.job.folder / VALIDATION / UNCERTAINTY
        return self.job.folder / f"{self.ranks.number}.{UNCERTAINTY}"

    def collect(self) -> None:
        """Bring together what several processes have said of their predictions."""
        found = Qualities(self.job.folder / VALIDATION / UNCERTAINTY)
        for path in sorted(self.job.folder.glob(f"*.{UNCERTAINTY}")):
            found.values |= load_qualities(path)
            found.write()
            path.unlink()

    def prepare(self) -> None:
        """Keep in the fold's folder what predictions need and the cases can say."""

    def tune(self, model: Model, previous: Path | None) -> None:
        """Choose how the network's outputs are read, before cases are predicted.

        Parameters
        ----------
        model, previous
            As `predict` gets them.
        """

    def predict(
        self, model: Model, waiting: Sequence[PredictionJob], previous: Path | None
    ) -> None:
        """Predict validation cases.

        Parameters
        ----------
        model : Model
            With this fold only.
        waiting : sequence of Job
            Those that are not there yet, this process's share; there may be none.
        previous : Path or None
            In a cascade, the predictions of the stage before.

        Raises
        ------
        CaseErrors
            If some cases failed; the others are written.
        """
        if not waiting:
            return
        options = self.options
        readout = readout_of(model, options)
        predictor = Predictor(model, replace(options, uncertainty=readout.can_doubt))
        Pipeline(
            predictor=predictor,
            previous=previous,
            qualities=Qualities(self.qualities),
            **self.watching(model),
        ).run(waiting, 1, 1)

    def watching(self, model: Model) -> Mapping[str, Any]:
        """Return what else looks on while validation cases are predicted.

        Parameters
        ----------
        model : Model
            With this fold only.

        Returns
        -------
        mapping of str to object
            Fields of `Pipeline`.
        """
        return {}

    def rehearse(self, model: Model, waiting: PredictionJob) -> None:
        """Do with one case, in a folder of its own, what will be done with all.

        Parameters
        ----------
        model : Model
            With this fold only, not trained to its end.
        waiting : Job
            The case, and where its prediction goes.
        """
        options = self.options
        readout = readout_of(model, options)
        predictor = Predictor(model, replace(options, uncertainty=readout.can_doubt))
        Pipeline(predictor=predictor, previous=None).run([waiting], 1, 1)

    def clean(self, model: Model) -> None:
        """Remove what only predicting the cases needed, once they are predicted."""

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
