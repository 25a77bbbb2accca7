"""Predict a fold's validation cases as any other image, and score them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.evaluate.measures import main_measure, mean_over_classes
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.model.decoding import Decoding
from autoseg.model.load import load_model
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job as PredictionJob
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.lookup import readout_of
from autoseg.predict.readouts.uncertainty import Qualities, correlation
from autoseg.train.after.decoding import FoldDecoding, tunes
from autoseg.train.after.point_confidence import learn_confidence, learn_shapes
from autoseg.train.data.cascade import check_coarse, previous_folder
from autoseg.train.setup.job import Job
from autoseg.workspace import CONFIDENCE, DECODING, SUMMARY, UNCERTAINTY, VALIDATION

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
    if is_scored(summary, job.validation):
        found = Summary.load(summary)
        logger.info("Validated already, %s:\n%s", summary, found.table())
        _show_decoding(job)
        return summary
    if job.is_fine:
        check_coarse(job)  # another fold's would know the cases
    learn_shapes(job)
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
    if tunes(model):
        decoding = FoldDecoding(job.folder, model, job.dataset, device, before)
        if waiting:
            decoding.predict(waiting, decoding.choose(job.validation))
        decoding.clean()
    elif waiting:
        options = Options(device=device)
        readout = readout_of(model, options)
        options = replace(options, uncertainty=readout.can_doubt)
        predictor = Predictor(model, options)
        judges = readout.can_judge
        qualities = Qualities(folder / UNCERTAINTY) if judges else None
        pipeline = Pipeline(predictor=predictor, previous=before, qualities=qualities)
        pipeline.run(waiting, 1, 1)
    trust = learn_confidence(job, folder)
    found = evaluate(
        folder, dataset=job.dataset, task=job.plan.task, cases=job.validation
    )
    _compare(folder, found)
    logger.info("Fold %s on its validation cases:\n%s", job.fold, found.table())
    if trust is not None:
        logger.info(
            "How far to trust its points (%s; in the scores above, each case was told "
            "what the other fifths of them taught):\n%s",
            job.folder / CONFIDENCE,
            trust,
        )
    _show_decoding(job)
    return summary


def is_scored(summary: Path, cases: Sequence[str]) -> bool:
    """Return whether a fold's summary is there and knows all of some cases."""
    if not summary.is_file():
        return False
    found = Summary.load(summary)
    return set(cases) <= {*found.cases, *found.missing, *found.failed}


def _show_decoding(job: Job) -> None:
    """Say how outputs are decoded, and that the scores are of cases without a say."""
    path = job.folder / DECODING
    if not path.is_file():
        return
    decoding = Decoding.load(path)
    logger.info("Parameters of decoding, %s:\n%s", path, decoding.text())
    if decoding.kept:
        logger.info(
            "The scores above are of predictions with parameters that were chosen on "
            "the other half of these cases; `autoseg predict` takes the best."
        )


def _compare(folder: Path, found: Summary) -> None:
    """Write beside the numbers of uncertainty how well they rank the cases."""
    qualities = Qualities(folder / UNCERTAINTY)
    if not qualities.values:
        return
    by = main_measure(found.foreground)
    scores = {case: mean_over_classes(s, by) for case, s in found.cases.items()}
    qualities.write(measure=by, correlation=correlation(qualities.values, scores))
