"""Predict a case on a worker of a cluster, which keeps the model for the next ones."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from autoseg.errors import CaseErrors
from autoseg.executors.elsewhere import kept
from autoseg.machine import share_freed_memory
from autoseg.model.load import load_model
from autoseg.parallel import current_cluster, map_cases, threads_here
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.uncertainty import Qualities
from autoseg.predict.written import Written


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker has to know to predict; all of it can be compared and sent.

    Parameters
    ----------
    model : str
        Path of the model.
    configuration, folds, checkpoint
        Which part of it; see `autoseg.model.load.load_model`.
    options : Options
        How.
    previous : Path, optional
        In a cascade, the folder with the predictions of the stage before.
    probabilities : str, optional
        Kind of the files of activated outputs.
    files : tuple of str
        What to write beside predictions.
    token : str
        Of this job, by which a worker keeps the model until the job ends.
    """

    model: str
    configuration: str | None = None
    folds: tuple[str | int, ...] | None = None
    checkpoint: str = "final"
    options: Options = Options()  # noqa: RUF009 - it cannot change
    previous: Path | None = None
    probabilities: str | None = None
    files: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def load(self) -> Predictor:
        """Return what predicts."""
        share_freed_memory()
        model = load_model(
            self.model,
            configuration=self.configuration,
            folds=self.folds,
            checkpoint=self.checkpoint,
        )
        return Predictor(model, self.options)

    def predict(self, job: Job) -> float | None:
        """Predict a case, and write it.

        Parameters
        ----------
        job : Job
            With whole paths.

        Returns
        -------
        float or None
            How sure the prediction is, where that is asked for and known.
        """
        torch.set_num_threads(threads_here())
        predictor: Predictor = kept(self.token, self.load)
        written = Written(
            predictor=predictor, probabilities=self.probabilities, files=self.files
        )
        heard = _Heard() if self.options.uncertainty else None
        pipeline = Pipeline(
            predictor=predictor,
            previous=self.previous,
            probabilities=self.probabilities,
            show=False,
            files=self.files,
            qualities=heard,
            doubt_images=True,
            written=written,
        )
        try:
            pipeline.run([job], 0, 0)
        except CaseErrors as error:
            raise error.failures[job.case.id] from None
        return None if heard is None else heard.values.get(job.case.id)


def predict_elsewhere(
    order: Order, jobs: Sequence[Job], tell: Callable[[str, float], None] | None
) -> None:
    """Have a cluster predict cases.

    Parameters
    ----------
    order : Order
        How.
    jobs : sequence of Job
        The cases.
    tell : callable, optional
        Told how sure the prediction of each case is.

    Raises
    ------
    CaseErrors
        At the end, if some cases failed; the others are written.
    """

    def done(job: Job, quality: float | None) -> None:
        if tell is not None and quality is not None:
            tell(job.case.id, quality)

    try:
        map_cases(
            order.predict,
            [_absolute(job) for job in jobs],
            stage="predict",
            name=lambda job: job.case.id,
            done=done,
        )
    finally:
        cluster = current_cluster()
        if cluster is not None:
            cluster.forget(order.token)


def _absolute(job: Job) -> Job:
    """Return a job with whole paths: workers are in another folder."""
    images = tuple(path.absolute() for path in job.case.images)
    case = replace(job.case, images=images)
    return replace(job, case=case, output=job.output.absolute())


class _Heard(Qualities):
    """Keeps what the file of all cases will say; one process writes that."""

    def __init__(self) -> None:
        self.values = {}

    def add(self, case: str, quality: float) -> None:
        """Keep the number of a case."""
        self.values[case] = quality
