"""What scores of objects are to mean: the chance that an object is one.

How sure a network is of an object is a number from 0 to 1, but of those with 0.8 not
eighty in a hundred need be right. So the objects of held-out cases say how often what
they were said with came true: of a score s, the chance is a sigmoid of
``slope * logit(s) + offset`` [1]_. The slope is positive, so that the order of objects,
and with it each average precision, stays as it is.

References
----------
.. [1] Platt, "Probabilistic outputs for support vector machines and comparisons to
   regularized likelihood methods", Advances in Large Margin Classifiers, 1999.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError, amount
from autoseg.metrics.learnt import LearntByFold, of_folds
from autoseg.spec.json import from_json
from autoseg.workspace import SCORES

Floats = NDArray[np.floating[Any]]

LEAST = 5e-5  # scores have four digits where they are read
TINY = 1e-12  # as near as a score is to 0 and 1 where it is given
FEWEST = 20  # objects, and of those that are right and wrong a tenth as many
MOST = 20_000  # objects that are kept of a fold
FLATTEST = 0.05  # slope: the order of objects has to show in single precision
BELIEF = 0.1  # how much speaks for leaving scores as they are, in squares
ROUNDS = 50
RIGHT = 0.5  # IoU over which an object is right


@dataclass(frozen=True, kw_only=True)
class ScoreCurve:
    """From how sure a network is of objects to the chance that they are right.

    Parameters
    ----------
    slope : float
        Of the logarithm of odds; positive.
    offset : float
        What is added to it.
    """

    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not (FLATTEST <= self.slope < math.inf and math.isfinite(self.offset)):
            raise PlanError(
                f"scores: the slope is {self.slope} and the offset {self.offset}; they "
                f"are to be finite, and the slope at least {FLATTEST}."
            )

    @classmethod
    def load(cls, raw: dict[str, Any], where: str) -> ScoreCurve:
        """Return what a JSON object says; raises PlanError where it is damaged."""
        return from_json(cls, raw, where)

    def chances(self, scores: Floats) -> NDArray[np.float64]:
        """Return the chance that objects with some scores are right."""
        z = self.slope * _logit(scores, TINY) + self.offset
        found: NDArray[np.float64] = 1 / (1 + np.exp(-z))
        return found

    def applied(self, scores: Mapping[int, float]) -> dict[int, float]:
        """Return the chance of each object by its id."""
        chances = self.chances(np.array(list(scores.values()), np.float64))
        return dict(zip(scores, chances.tolist(), strict=True))


@dataclass(frozen=True, kw_only=True)
class ScoreEvidence(LearntByFold):
    """What held-out cases say of scores.

    Parameters
    ----------
    cases : int
        That took part.
    scores : tuple of float
        Of objects.
    right : tuple of bool
        Whether each stands for an annotated object of its own (IoU over `RIGHT`).
    schema : int
        Version of the file's layout.
    """

    file = SCORES
    otherwise = "its scores then are those of the network"

    cases: int
    scores: tuple[float, ...]
    right: tuple[bool, ...]

    @classmethod
    def of_cases(cls, tables: Iterable[Floats]) -> ScoreEvidence:
        """Return what objects of some cases say.

        Parameters
        ----------
        tables : iterable of ndarray of float, shape (N, 2)
            Of each case, score and whether it is right, by object.
        """
        every = list(tables)
        rows = np.concatenate([np.zeros((0, 2)), *every])
        step = max(1, math.ceil(len(rows) / MOST))
        rows = rows[::step]
        return cls(
            cases=len(every),
            scores=tuple(round(s, 4) for s in rows[:, 0].tolist()),
            right=tuple(r > 0 for r in rows[:, 1].tolist()),
        )

    def fault(self) -> str:
        if len(self.scores) != len(self.right):
            return f"{len(self.scores)} scores and {len(self.right)} times right or not"
        if not all(0 <= score <= 1 for score in self.scores):
            return "scores are not from 0 to 1"
        return ""

    def curve(self) -> ScoreCurve | None:
        """Return the likeliest curve; None where there is too little to say."""
        return fit(np.array(self.scores, np.float64), np.array(self.right, bool))

    def text(self) -> str:
        """Return a sentence for people; empty if nothing was learnt."""
        curve = self.curve()
        if curve is None:
            return ""
        scores, right = np.array(self.scores), np.array(self.right, bool)
        said = f"{scores.mean():.2f}", f"{curve.chances(scores).mean():.2f}"
        return (
            f"Scores of objects: {amount(len(scores), 'object')}, of which "
            f"{right.mean():.0%} are right (IoU over {RIGHT}); the mean score was "
            f"{said[0]}, and in predictions is {said[1]}: the chance that an object is "
            "right."
        )


def fit(scores: Floats, right: NDArray[np.bool_]) -> ScoreCurve | None:
    """Return the curve by which it is likeliest that objects are right as they are.

    Parameters
    ----------
    scores : ndarray of float, shape (N,)
        How sure the network was.
    right : ndarray of bool, shape (N,)
        Whether they are.

    Returns
    -------
    ScoreCurve or None
        None of fewer than `FEWEST` objects, or where hardly one is right, or wrong.
    """
    hits = int(right.sum())
    if len(scores) < FEWEST or min(hits, len(scores) - hits) < FEWEST / 10:
        return None
    z = _logit(scores, LEAST)
    # Aims are a little off 0 and 1, as those of few objects may be by chance [1].
    aim = np.where(right, (hits + 1) / (hits + 2), 1 / (len(scores) - hits + 2))
    known = np.stack([z, np.ones_like(z)], 1)
    start = now = np.array([1.0, 0.0])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-known @ now))
        slope = known.T @ (p - aim) + BELIEF * (now - start)
        bend = (known * (p * (1 - p))[:, None]).T @ known + BELIEF * np.eye(2)
        step = np.linalg.solve(bend, slope)
        step *= min(1.0, 1.0 / max(1e-12, float(np.abs(step).max())))
        now = now - step
        if np.abs(step).max() < 1e-10:
            break
    if now[0] < FLATTEST:  # surer ones are not right more often
        rate = float(aim.mean())
        now = np.array([FLATTEST, math.log(rate / (1 - rate)) - FLATTEST * z.mean()])
    return ScoreCurve(slope=float(now[0]), offset=float(now[1]))


def together(evidence: Sequence[ScoreEvidence]) -> ScoreEvidence:
    """Return what several folds say together."""
    return ScoreEvidence(
        cases=sum(one.cases for one in evidence),
        scores=tuple(score for one in evidence for score in one.scores),
        right=tuple(right for one in evidence for right in one.right),
    )


def load_scores(model: Path, folds: Sequence[str]) -> ScoreCurve | None:
    """Return the curve that the validations of some folds give together.

    Parameters
    ----------
    model : Path
        Folder of a trained configuration.
    folds : sequence of str
        Names of folds; those that have learnt nothing are left out.

    Raises
    ------
    ModelError
        If a file is damaged.
    """
    return of_folds(ScoreEvidence, model, folds, lambda e: together(e).curve())


def _logit(scores: Floats, least: float) -> NDArray[np.float64]:
    inside = np.clip(np.asarray(scores, np.float64), least, 1 - least)
    found: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return found
