"""What validation taught about a model's points: a file in each fold, and its use.

Letters: L landmarks, D axes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.landmarks.confidence import Confidence, learn
from autoseg.landmarks.evidence import Evidence, pooled
from autoseg.metrics.learnt import LearntByFold, folders_of, has, of_folds
from autoseg.preprocess.points import lengths_in_plan_order
from autoseg.spec.image import Geometry
from autoseg.spec.plan import Plan
from autoseg.spec.points import Points
from autoseg.workspace import CONFIDENCE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Learnt(LearntByFold):
    """What a fold's validation taught, and what of.

    Parameters
    ----------
    confidence : Confidence
        Used if the fold predicts alone.
    evidence : Evidence
        From which several folds learn together.
    schema : int
        Version of the file's layout.
    """

    file = CONFIDENCE
    otherwise = "its points then have no radius of error"

    confidence: Confidence
    evidence: Evidence


def load_confidence(model: Path, folds: Sequence[str]) -> Confidence | None:
    """Return what the validations of some folds taught together.

    Parameters
    ----------
    model : Path
        Folder of a trained configuration.
    folds : sequence of str
        Names of folds.

    Returns
    -------
    Confidence or None
        None where none of them was validated, or the task has no points.

    Raises
    ------
    ModelError
        If a file is damaged, or the folds learnt other things.
    """
    folders = folders_of(model, folds)
    without = sorted(f.name for f in folders if not has(Learnt, f))
    if 0 < len(without) < len(folders):
        logger.info(
            "How far to trust its points: learnt without the validation of %s.",
            ", ".join(without),
        )
    return of_folds(Learnt, model, folds, lambda learnt: pool(learnt)[0])


def pool(folds: Sequence[Learnt]) -> tuple[Confidence, Evidence]:
    """Return what several folds learn together; of one, what it has learnt.

    Parameters
    ----------
    folds : sequence of Learnt
        At least one.

    Returns
    -------
    confidence : Confidence
        From all their cases; which shapes are usual, the first that knows it says.
    evidence : Evidence
        All of it.
    """
    if len(folds) == 1:
        return folds[0].confidence, folds[0].evidence
    together = pooled([fold.evidence for fold in folds])
    priors = [fold.confidence.shape for fold in folds]
    prior = next((prior for prior in priors if prior is not None), None)
    return learn(together, prior=prior), together


def judged(
    points: Points, geometry: Geometry, plan: Plan, confidence: Confidence | None
) -> Points:
    """Return predicted points with how far to trust them.

    Parameters
    ----------
    points : Points
        In voxels of the image, as a read-out of points brings them there.
    geometry : Geometry
        Of the image.
    plan : Plan
        Of the model: in which order it sees the axes.
    confidence : Confidence or None
        None leaves the points as they are.

    Returns
    -------
    Points
        See `Confidence.annotate`.
    """
    if confidence is None:
        return points
    shape = lengths_in_plan_order(points.details["peak"], geometry, plan)
    return confidence.annotate(points, shape)
