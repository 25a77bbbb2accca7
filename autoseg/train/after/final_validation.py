"""Predict a fold's validation cases as any other image, and score them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from autoseg.evaluate.measures import main_measure, mean_over_classes
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.model.load import load_model
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.readouts.uncertainty import Qualities, correlation
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.data.cascade import check_coarse, previous_folder
from autoseg.train.setup.job import Job
from autoseg.workspace import SUMMARY, UNCERTAINTY, VALIDATION

logger = logging.getLogger(__name__)


def validate_fold(job: Job, device: str = "auto") -> Path:
    """Predict and score the validation cases that are not done yet.

    Where decoding has parameters, they are tuned first, on these cases; each case is
    predicted with parameters in which it had no say.

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
    kind = AFTER_KINDS.get(job.task.kind, AfterKind)(job, device)
    if is_scored(summary, job.validation):
        found = Summary.load(summary)
        logger.info("Validated already, %s:\n%s", summary, found.table())
        _say(kind.remarks())
        return summary
    if job.is_fine:
        check_coarse(job)  # another fold's would know the cases
    kind.prepare()
    model = load_model(job.model_folder, folds=[job.fold])
    waiting = []
    for case_id in job.validation:
        case = job.dataset.case(case_id)
        output = folder / f"{case_id}{prediction_ending(case, model)}"
        if not output.is_file():
            waiting.append(PredictionJob(case=case, output=output))
    before = None
    if job.settings.previous is not None and not job.is_fine:
        before = previous_folder(job)
    kind.predict(model, waiting, before)
    learnt = kind.learn(folder)
    found = evaluate(
        folder, dataset=job.dataset, task=job.plan.task, cases=job.validation
    )
    _compare(folder, found)
    logger.info("Fold %s on its validation cases:\n%s", job.fold, found.table())
    _say(learnt)
    _say(kind.remarks())
    return summary


def is_scored(summary: Path, cases: Sequence[str]) -> bool:
    """Return whether a fold's summary is there and knows all of some cases."""
    if not summary.is_file():
        return False
    found = Summary.load(summary)
    return set(cases) <= {*found.cases, *found.missing, *found.failed}


def _say(words: str) -> None:
    if words:
        logger.info("%s", words)


def _compare(folder: Path, found: Summary) -> None:
    """Write beside the numbers of uncertainty how well they rank the cases."""
    qualities = Qualities(folder / UNCERTAINTY)
    if not qualities.values:
        return
    by = main_measure(found.foreground)
    scores = {case: mean_over_classes(s, by) for case, s in found.cases.items()}
    qualities.write(measure=by, correlation=correlation(qualities.values, scores))
