"""Predict a fold's validation cases as any other image, and score them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.errors import AutosegError, CaseErrors
from autoseg.evaluate.measures import main_measure, mean_over_classes
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import WIDTH, Summary
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.outputs import is_written
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.readouts.uncertainty import Qualities, correlation
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.data.cascade import check_coarse, previous_folder
from autoseg.train.setup.job import Job
from autoseg.train.setup.ranks import ONE, Ranks
from autoseg.workspace import SUMMARY, UNCERTAINTY, VALIDATION

logger = logging.getLogger(__name__)

ERROR = "mre"  # what a fine stage is there to make smaller


def validate_fold(job: Job, device: str = "auto", ranks: Ranks = ONE) -> Path:
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
    ranks : Ranks
        Which of several processes this is, that predict a share of the cases each.

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
    kind = AFTER_KINDS.get(job.task.kind, AfterKind)(job, device, ranks)
    scored = ranks.told(lambda: str(is_scored(summary, job.validation)))
    if scored == str(True):
        found = Summary.load(summary)
        logger.info("Validated already, %s:\n%s", summary, found.table(width=WIDTH))
        _say(kind.remarks())
        return summary
    if job.is_fine:
        check_coarse(job)  # another fold's would know the cases
    ranks.alone(kind.prepare)
    model = load_model(job.model_folder, folds=[job.fold])
    # What a validation before has taught must not be in what the next one learns from.
    model = replace(model, calibration=None, scores=None)
    _predict(job, model, kind, ranks)
    ranks.alone(lambda: _finish(job, model, kind))
    return summary


def _predict(job: Job, model: Model, kind: AfterKind, ranks: Ranks) -> None:
    """Predict the cases that are not there yet, each by one of the processes."""
    jobs: dict[str, PredictionJob] = {}
    for case_id in job.validation:
        case = job.dataset.case(case_id)
        output = job.folder / VALIDATION / f"{case_id}{prediction_ending(case, model)}"
        jobs[case_id] = PredictionJob(case=case, output=output)
    missing = json.loads(
        ranks.told(
            lambda: json.dumps([c for c, j in jobs.items() if not is_written(j.output)])
        )
    )
    waiting = [jobs[case_id] for case_id in ranks.of(missing)]
    before = None
    if job.settings.previous is not None and not job.is_fine:
        before = previous_folder(job)
    if missing:
        ranks.alone(lambda: kind.tune(model, before))
    failed: dict[str, str] = {}
    finished = len(waiting)
    try:
        kind.predict(model, waiting, before)
    except CaseErrors as error:
        if ranks.count == 1:
            raise
        failed = {case: str(why) for case, why in error.failures.items()}
        finished = error.finished
    told = [json.loads(text) for text in ranks.texts(json.dumps([failed, finished]))]
    failures = {c: AutosegError(why) for one, _ in told for c, why in one.items()}
    if failures:
        raise CaseErrors("predict", failures, sum(done for _, done in told))


def _finish(job: Job, model: Model, kind: AfterKind) -> None:
    """Learn from the predictions, score them, and say so."""
    folder = job.folder / VALIDATION
    kind.clean(model)
    kind.collect()
    learnt = kind.learn(folder)
    found = evaluate(
        folder,
        dataset=job.dataset,
        task=job.plan.task,
        cases=job.validation,
        max_memory=job.max_memory,
    )
    _compare(folder, found)
    logger.info(
        "Fold %s on its validation cases:\n%s", job.fold, found.table(width=WIDTH)
    )
    _say(learnt)
    _say(kind.remarks())
    if job.is_fine:
        _compare_with_coarse(job, found)


def is_scored(summary: Path, cases: Sequence[str]) -> bool:
    """Return whether a fold's summary is there and knows all of some cases."""
    if not summary.is_file():
        return False
    found = Summary.load(summary)
    return set(cases) <= {*found.cases, *found.missing, *found.failed}


def _say(words: str) -> None:
    if words:
        logger.info("%s", words)


def _compare_with_coarse(job: Job, found: Summary) -> None:
    """Warn where a fine stage is further off than what it looks closer at."""
    coarse = str(job.settings.previous)
    folder = job.workspace.fold(job.plan.name, coarse, job.fold)
    path = folder / VALIDATION / SUMMARY
    if not is_scored(path, job.validation):
        return
    before, now = Summary.load(path).mean(ERROR), found.mean(ERROR)
    if now > before:
        logger.warning(
            "%s alone is %.3g %s off on the same cases, with %s it is %.3g %s: the "
            "closer look does not pay here, or was trained too shortly. Predict with "
            "%s.",
            *(coarse, before, found.unit, job.configuration, now, found.unit, coarse),
        )


def _compare(folder: Path, found: Summary) -> None:
    """Write beside the numbers of uncertainty how well they rank the cases."""
    qualities = Qualities(folder / UNCERTAINTY)
    if not qualities.values:
        return
    by = main_measure(found.foreground)
    scores = {case: mean_over_classes(s, by) for case, s in found.cases.items()}
    qualities.write(measure=by, correlation=correlation(qualities.values, scores))
