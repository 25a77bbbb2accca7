"""What each fold says about the cases that it was not trained on, kept in 8 bits."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.atomic import sweep_temporaries
from autoseg.find_best.candidates import Candidate
from autoseg.model.load import load_model
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import PROBABILITIES, Job
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.spec.dataset import Dataset
from autoseg.train.after.results import Trained, scores_of
from autoseg.workspace import CHECKPOINT_FINAL, VALIDATION, Workspace

logger = logging.getLogger(__name__)

KIND = "b2nd"
AT_HAND = 2**28  # bytes of outputs of one case that are unpacked once


def ensure_outputs(
    candidate: Candidate,
    workspace: Workspace,
    dataset: Dataset,
    device: str = "auto",
) -> dict[str, Path]:
    """Predict the outputs that are not there, or are older than their fold.

    Parameters
    ----------
    candidate : Candidate
        A configuration with all its folds.
    workspace : Workspace
        Of the data set.
    dataset : Dataset
        With its training cases.
    device : str
        Where to predict.

    Returns
    -------
    dict of str to Path
        Files of `autoseg.predict.readouts.probabilities`, by case id.

    Raises
    ------
    CaseErrors
        If some cases failed; the others are kept.
    """
    trained = candidate.trained
    folder = workspace.kept_outputs(trained.plan, trained.configuration)
    sweep_temporaries(folder)
    found: dict[str, Path] = {}
    for fold in sorted(set(candidate.fold_of.values()), key=int):
        model = load_model(candidate.folder, folds=[fold])
        model = replace(model, calibration=None)  # averages are of what networks say
        checkpoint = candidate.folder / f"fold_{fold}" / CHECKPOINT_FINAL
        waiting = []
        for case_id in (c for c, f in candidate.fold_of.items() if f == fold):
            case = dataset.case(case_id)
            name = f"{case_id}{prediction_ending(case, model)}"
            job = Job(case=case, output=folder / name)
            found[case_id] = job.probabilities(KIND)
            if not _is_newer(found[case_id], checkpoint):
                waiting.append(job)
        if waiting:
            logger.info("%s, fold %s: outputs of its cases", candidate.name, fold)
            before = candidate.plan.configuration(candidate.configuration).previous
            previous = None
            if before is not None:
                place = workspace.fold(trained.plan, before, fold)
                previous = place / VALIDATION
            predictor = Predictor(model, Options(device=device))
            Pipeline(predictor=predictor, previous=previous, probabilities=KIND).run(
                waiting
            )
    return found


def kept_outputs(trained: Trained, workspace: Workspace) -> dict[str, Path]:
    """Return the outputs of held-out cases that are there and up to date.

    Parameters
    ----------
    trained : Trained
        A configuration; not every fold need be trained.
    workspace : Workspace
        Of the data set.

    Returns
    -------
    dict of str to Path
        By case id.
    """
    folder = workspace.kept_outputs(trained.plan, trained.configuration)
    found = {}
    for fold in trained.folds:
        if not (fold.held_out and fold.finished):
            continue
        checkpoint = fold.folder / CHECKPOINT_FINAL
        for case in scores_of(fold):
            file = folder / f"{case}{PROBABILITIES[KIND]}"
            if _is_newer(file, checkpoint):
                found[case] = file
    return found


def at_hand(outputs: Any) -> Any:
    """Unpack the outputs of one case, if they are small, for what reads them often."""
    return outputs[...] if outputs.nbytes <= AT_HAND else outputs


def _is_newer(file: Path, than: Path) -> bool:
    return file.is_file() and file.stat().st_mtime_ns >= than.stat().st_mtime_ns
