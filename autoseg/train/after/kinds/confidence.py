"""Learn from a fold's validation how far its points are to be trusted."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.points import read_points, write_points
from autoseg.landmarks.confidence import confidence_table, learn, learn_apart
from autoseg.landmarks.evidence import Evidence
from autoseg.landmarks.shape import fit_shapes
from autoseg.model.confidence import Learnt, judged
from autoseg.preprocess.placement import Placement
from autoseg.preprocess.points import lengths_in_plan_order, restore_coordinates
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.train.setup.job import Job
from autoseg.workspace import CONFIDENCE

logger = logging.getLogger(__name__)

ALL = "all"  # the fold that trains on every case


def learn_shapes(job: Job) -> None:
    """Keep in the fold's folder which shapes are usual, for the predictions to come.

    That takes no validation: the training cases say it. `learn_confidence` adds the
    rest.

    Parameters
    ----------
    job : Job
        The fold.
    """
    task = job.task
    if not isinstance(task, LandmarkTask) or (job.folder / CONFIDENCE).is_file():
        return
    evidence = Evidence.none(task.classes, task.thresholds.tolist())
    confidence = learn(evidence, fit_shapes(_training_shapes(job)))
    Learnt(confidence=confidence, evidence=evidence).save(job.folder)


def learn_confidence(job: Job, predictions: Path) -> str | None:
    """Learn from the validation of a fold, and keep it in the fold's folder.

    The predictions are written again with what the other validation cases teach, a
    fifth of them at a time: so what is said about presence and errors there is not
    judged by the cases that it was chosen on. The file in the fold's folder, for new
    images, is learnt from all of them.

    Parameters
    ----------
    job : Job
        The fold.
    predictions : Path
        Folder with the points of all validation cases.

    Returns
    -------
    str or None
        A table for people; None where there is nothing to learn.
    """
    task = job.task
    if not isinstance(task, LandmarkTask) or not job.validation:
        return None
    if job.fold == ALL:
        logger.info(
            "Fold %s was trained on the cases that it is validated with: nothing is "
            "learnt about how far to trust its points.",
            job.fold,
        )
        return None
    found: dict[str, tuple[Points, Geometry]] = {}
    rows = []
    for case_id in job.validation:
        points, geometry = read_points(_file(predictions, case_id), None, None, case_id)
        case = job.dataset.case(case_id)
        if case.annotation is None:
            continue
        truth, _ = read_points(case.annotation, job.dataset, geometry, case_id)
        found[case_id] = points.ordered(task.classes), geometry
        rows.append((case_id, points, task.read(truth), geometry.spacing))
    evidence = Evidence.of(rows, task.thresholds.tolist())
    base = fit_shapes(_training_shapes(job))
    for case_id, confidence in learn_apart(evidence, base).items():
        points, geometry = found[case_id]
        points = judged(points, geometry, job.plan, confidence)
        write_points(_file(predictions, case_id), points, geometry)
    confidence = learn(evidence, base)
    Learnt(confidence=confidence, evidence=evidence).save(job.folder)
    return confidence_table(confidence, evidence, job.plan.unit)


def _file(folder: Path, case_id: str) -> Path:
    return folder / f"{case_id}.json"


def _training_shapes(job: Job) -> NDArray[np.float64]:
    """Return the annotated points of the training cases, in units of length."""
    shapes = []
    for case_id in job.training:
        stored = job.store.open(case_id)
        placement = Placement.from_json(stored.properties["placement"])
        if stored.points is None:
            continue
        places = restore_coordinates(stored.points.coordinates, placement)
        shapes.append(lengths_in_plan_order(places, placement.geometry, job.plan))
    return np.stack(shapes)
