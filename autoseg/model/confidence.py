"""What validation taught about a model's points: a file in each fold, and its use.

Letters: L landmarks, D axes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.errors import ModelError, PlanError
from autoseg.landmarks.confidence import Confidence, learn
from autoseg.landmarks.evidence import Evidence, pooled
from autoseg.preprocess.points import lengths_in_plan_order
from autoseg.spec.image import Geometry
from autoseg.spec.json import dumps, from_json, load_object, write_text
from autoseg.spec.plan import Plan
from autoseg.spec.points import Points
from autoseg.workspace import CONFIDENCE

logger = logging.getLogger(__name__)

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Learnt:
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

    confidence: Confidence
    evidence: Evidence
    schema: int = SCHEMA

    def save(self, fold: Path) -> None:
        """Write it into the folder of a fold; complete or not there."""
        write_text(fold / CONFIDENCE, dumps(self))

    @classmethod
    def load(cls, fold: Path) -> Learnt:
        """Read it from the folder of a fold.

        Raises
        ------
        PlanError
            If the file is missing or damaged.
        """
        path = fold / CONFIDENCE
        raw = load_object(path)
        if raw.get("schema") != SCHEMA:
            raise PlanError(
                f"{path} has schema {raw.get('schema')}; this autoseg reads {SCHEMA}."
            )
        return from_json(cls, raw, str(path))


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
    folders = [model / f"fold_{name}" for name in folds]
    there = [folder for folder in folders if (folder / CONFIDENCE).is_file()]
    if not there:
        return None
    if len(there) < len(folders):
        without = sorted({f.name for f in folders} - {f.name for f in there})
        logger.info(
            "How far to trust its points: learnt without the validation of %s.",
            ", ".join(without),
        )
    try:
        return pool([Learnt.load(folder) for folder in there])[0]
    except PlanError as error:
        raise ModelError(
            f"{error} Train with --overwrite, or delete {CONFIDENCE} of the fold: its "
            "points then have no radius of error."
        ) from None


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
