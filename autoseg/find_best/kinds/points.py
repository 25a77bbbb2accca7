"""Points: averages of configurations, and how far to trust what comes of it.

Points of held-out cases are in files that training wrote, with all that prediction
would know of them: nothing is predicted anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.datasets.points import read_points
from autoseg.errors import UsageError
from autoseg.evaluate.aggregate import Scores
from autoseg.find_best.candidates import Candidate
from autoseg.find_best.kinds import FIND_BEST_KINDS
from autoseg.find_best.kinds.base import FindBestKind, Pair
from autoseg.find_best.table import Table
from autoseg.landmarks.confidence import learn, learn_apart
from autoseg.landmarks.evidence import Evidence
from autoseg.model.confidence import Learnt, judged, pool
from autoseg.predict.readouts.consensus import average
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.workspace import CONFIDENCE, VALIDATION

NEEDED = ("score", "covariance", "peak")


@FIND_BEST_KINDS.register
class PointsBest(FindBestKind):
    """Averages, of what the validations wrote; how sure they are is learnt anew."""

    task: LandmarkTask

    def averages(self, pairs: Sequence[Pair]) -> list[tuple[Pair, Table]]:
        can = [pair for pair in pairs if can_average(pair)]
        return [(pair, self.search.table(self._average(pair)[0])) for pair in can]

    def learnt(self, members: Sequence[Candidate]) -> Learnt | None:
        if len(members) > 1:
            return self._average(members)[1]
        return learnt_alone(members[0])

    def _average(
        self, members: Sequence[Candidate]
    ) -> tuple[dict[str, Scores], Learnt]:
        return average_points(members, self.search.dataset, self.task)


def can_average(members: Sequence[Candidate]) -> bool:
    """Return whether the folds of configurations said how far to trust their points."""
    return all((fold / CONFIDENCE).is_file() for one in members for fold in _folds(one))


def learnt_alone(member: Candidate) -> Learnt | None:
    """Return what the folds of a configuration learnt together; None: nothing."""
    there = [fold for fold in _folds(member) if (fold / CONFIDENCE).is_file()]
    if not there:
        return None
    found = [Learnt.load(fold) for fold in there]
    confidence, evidence = pool(found)
    return Learnt(confidence=confidence, evidence=evidence)


def average_points(
    members: Sequence[Candidate], dataset: Dataset, task: LandmarkTask
) -> tuple[dict[str, Scores], Learnt]:
    """Score the averaged points of the held-out cases.

    Parameters
    ----------
    members : sequence of Candidate
        Of the same task, each with what its folds learnt.
    dataset : Dataset
        With the annotations.
    task : LandmarkTask
        Scores.

    Returns
    -------
    scores : dict of str to scores
        By case. Which points are present is told by what other cases teach.
    learnt : Learnt
        How far to trust averages, from all cases.

    Raises
    ------
    UsageError
        If a prediction does not say how sure it is, or a case has no annotation.
    """
    first = members[0]
    rows: list[tuple[str, Points, Points, Sequence[float]]] = []
    geometries: dict[str, Geometry] = {}
    for case_id in sorted(first.fold_of):
        opinions = [_prediction(one, case_id) for one in members]
        geometry = opinions[0][1]
        points = average(
            [points.ordered(task.classes) for points, _ in opinions],
            task,
            geometry.spacing,
        )
        annotation = dataset.case(case_id).annotation
        if annotation is None:
            raise UsageError(f"{case_id} has no annotation any more.")
        truth, _ = read_points(annotation, dataset, geometry, case_id)
        rows.append((case_id, points, task.read(truth), geometry.spacing))
        geometries[case_id] = geometry
    evidence = Evidence.of(rows, task.thresholds.tolist())
    apart = learn_apart(evidence)
    scores: dict[str, Scores] = {}
    for case_id, points, truth, spacing in rows:
        points = judged(points, geometries[case_id], first.plan, apart.get(case_id))
        scores[case_id] = task.score(points, truth, tuple(spacing))
    alone = learnt_alone(first)
    prior = None if alone is None else alone.confidence.shape
    confidence = learn(evidence, prior=prior)
    return scores, Learnt(confidence=confidence, evidence=evidence)


def _prediction(member: Candidate, case_id: str) -> tuple[Points, Geometry]:
    folder = member.folder / f"fold_{member.fold_of[case_id]}" / VALIDATION
    file = folder / f"{case_id}.json"
    points, geometry = read_points(file, None, None, case_id)
    if any(name not in points.details for name in NEEDED):
        raise UsageError(
            f"{file} does not say how sure its points are; train the fold's "
            "validation again, or give --no-ensembles."
        )
    return points, geometry


def _folds(member: Candidate) -> list[Path]:
    names = sorted(set(member.fold_of.values()), key=int)
    return [member.folder / f"fold_{name}" for name in names]
