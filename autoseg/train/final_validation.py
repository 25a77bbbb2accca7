"""Predict a fold's validation cases as any other image, and score them."""

from __future__ import annotations

import logging
from pathlib import Path

from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.predict.cases import Job as PredictionJob
from autoseg.predict.cases import prediction_ending
from autoseg.predict.model import load_model
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.train.cascade import previous_folder
from autoseg.train.job import Job
from autoseg.workspace import SUMMARY, VALIDATION

logger = logging.getLogger(__name__)


def validate_fold(job: Job, device: str = "auto") -> Path:
    """Predict and score the validation cases that are not done yet.

    Raw images are read again and predictions are written in their geometry, so that
    the scores are those that `autoseg predict` and `autoseg evaluate` would give.

    Parameters
    ----------
    job : Job
        A fold with a ``checkpoint_final.pt``.
    device : str
        Where to predict.

    Returns
    -------
    Path
        ``validation/summary.json`` in the fold's folder.

    Raises
    ------
    CaseErrors
        If some cases failed; the others are written and scored.
    """
    folder = job.folder / VALIDATION
    summary = folder / SUMMARY
    if summary.is_file():
        logger.info(
            "Validated already, %s:\n%s", summary, Summary.load(summary).table()
        )
        return summary
    model = load_model(job.model_folder, folds=[job.fold])
    waiting = []
    for case_id in job.validation:
        case = job.dataset.case(case_id)
        output = folder / f"{case_id}{prediction_ending(case, model)}"
        if not output.is_file():
            waiting.append(PredictionJob(case=case, output=output))
    if waiting:
        predictor = Predictor(model, Options(device=device))
        before = None if job.settings.previous is None else previous_folder(job)
        pipeline = Pipeline(predictor=predictor, previous=before)
        pipeline.run(waiting, 1, 1)
    found = evaluate(
        folder, dataset=job.dataset, task=job.plan.task, cases=job.validation
    )
    logger.info("Fold %s on its validation cases:\n%s", job.fold, found.table())
    return summary
