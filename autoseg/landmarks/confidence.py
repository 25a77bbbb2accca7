"""How far to trust a predicted point, learnt from validation cases; JSON numbers.

Legend: N cases, L landmarks, D axes. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError
from autoseg.landmarks.presence import presence_thresholds
from autoseg.landmarks.radius import ErrorRadius, fit_radius
from autoseg.landmarks.shape import ShapePrior
from autoseg.spec.points import ABSENT, PRESENT, STATUS, UNKNOWN, Points

Array = NDArray[np.float64]
Rows = tuple[tuple[float, ...], ...]

LOW = 0.01  # quantile of the scores of found points, under which one is doubtful
GROUPS = 5  # of validation cases, each judged by what the others taught
DIGITS = 6  # after the point, of what is kept


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a model said about cases that it was not trained on, and what is true.

    Parameters
    ----------
    names : tuple of str, length L
        The landmarks.
    usual : tuple of float, length L
        Thresholds of the plan: 0 for landmarks that are never absent in training, 0.5
        for those whose threshold is to be learnt; another one is the user's and stays.
    cases : tuple of str, length N
        Ids.
    score, spread : tuple of tuple of float, shape (N, L)
        The network's score, and the root of the trace of the covariance.
    error : tuple of tuple of float or None, shape (N, L)
        Distance of the best peak to the annotated point; None where there is none.
    status : tuple of tuple of str, shape (N, L)
        ``"present"``, ``"absent"`` or ``"unknown"``, as annotated.

    Raises
    ------
    PlanError
        If the lengths differ.
    """

    names: tuple[str, ...]
    usual: tuple[float, ...]
    cases: tuple[str, ...]
    score: Rows
    spread: Rows
    error: tuple[tuple[float | None, ...], ...]
    status: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for name in ("score", "spread", "error", "status"):
            rows = getattr(self, name)
            lengths = {len(row) for row in rows} | {len(self.usual)}
            if len(rows) != len(self.cases) or lengths != {len(self.names)}:
                raise PlanError(
                    f"{name} must have a row for each of {len(self.cases)} cases and "
                    f"in it a number for each of {len(self.names)} landmarks"
                )

    @classmethod
    def none(cls, names: Sequence[str], usual: Sequence[float]) -> Evidence:
        """Return that of no cases; see above."""
        rows: dict[str, tuple[Any, ...]] = {f.name: () for f in fields(cls)[2:]}
        return cls(names=tuple(names), usual=tuple(map(float, usual)), **rows)

    @classmethod
    def of(
        cls,
        cases: Sequence[tuple[str, Points, Points, Sequence[float]]],
        usual: Sequence[float],
    ) -> Evidence:
        """Return what predictions say beside annotations.

        Parameters
        ----------
        cases : sequence of (str, Points, Points, spacing)
            Id; prediction with the details ``score`` (L,), ``covariance`` (L, D, D)
            in squared units of length and ``peak`` (L, D); annotation of the same
            landmarks; edge of a voxel. At least one.
        usual : sequence of float, length L
            See above.
        """
        names = cases[0][2].names
        rows: dict[str, list[Any]] = {f.name: [] for f in fields(cls)[2:]}
        for case, predicted, reference, spacing in cases:
            found, truth = predicted.ordered(names), reference.ordered(names)
            score = np.nan_to_num(np.asarray(found.details["score"], np.float64))
            apart = (found.details["peak"] - truth.coordinates) * np.asarray(spacing)
            error = np.linalg.norm(apart, axis=1)
            spread = spread_of(found.details["covariance"])
            rows["cases"].append(case)
            rows["score"].append(_kept(score))
            rows["spread"].append(_kept(np.nan_to_num(spread)))
            rows["error"].append(
                tuple(e if np.isfinite(e) else None for e in _kept(error))
            )
            rows["status"].append(tuple(STATUS[i] for i in truth.status))
        columns = {name: tuple(values) for name, values in rows.items()}
        return cls(names=names, usual=tuple(map(float, usual)), **columns)

    def of_cases(self, rows: Sequence[int]) -> Evidence:
        """Return the same of some of the cases, by their place."""
        kept = {
            f.name: tuple(getattr(self, f.name)[i] for i in rows)
            for f in fields(self)[2:]
        }
        return replace(self, **kept)

    @property
    def errors(self) -> Array:
        """Errors, shape (N, L), NaN where there are none."""
        return np.array(self.error, dtype=np.float64).reshape(-1, len(self.names))


def pooled(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence of several folds together.

    Parameters
    ----------
    parts : sequence of Evidence
        Of the same landmarks, at least one.

    Returns
    -------
    Evidence
        All their cases.

    Raises
    ------
    PlanError
        If they are of different landmarks.
    """
    first = parts[0]
    if any((p.names, p.usual) != (first.names, first.usual) for p in parts):
        raise PlanError("the folds learnt other landmarks, or other thresholds")
    rows = {
        f.name: tuple(row for part in parts for row in getattr(part, f.name))
        for f in fields(first)[2:]
    }
    return replace(first, **rows)


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """What a model's validation says about its points.

    Parameters
    ----------
    names : tuple of str, length L
        The landmarks.
    thresholds : tuple of float, length L
        Scores from which on a landmark counts as present; 0: always.
    doubtful : tuple of float, length L
        Scores under which a found point is of low confidence.
    cases : int
        How many it was learnt from.
    radius : ErrorRadius or None
        None where too few points were found.
    shape : ShapePrior or None
        None where there were too few shapes.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    doubtful: tuple[float, ...]
    cases: int
    radius: ErrorRadius | None = None
    shape: ShapePrior | None = None

    def annotate(self, points: Points, shape: Array) -> Points:
        """Return predicted points with what is known about how far to trust them.

        Parameters
        ----------
        points : Points
            A prediction with the details ``score`` (L,), ``covariance`` (L, D, D) in
            squared units of length and ``peak`` (L, D), the best place of each.
        shape : ndarray of float64, shape (L, D)
            The peaks in units of length, axes as in those shapes that were learnt.

        Returns
        -------
        Points
            With status by the thresholds, and the details ``error_p50`` and
            ``error_p95``, ``low_confidence`` and ``plausible``: 0 or 1, NaN where the
            point is absent or the others say too little.
        """
        points = points.ordered(self.names)
        details = dict(points.details)
        score = np.nan_to_num(np.asarray(details["score"], dtype=np.float64))
        places = np.asarray(details["peak"], dtype=np.float64)
        there = np.isfinite(places).all(axis=1) & (score >= self.thresholds)
        if self.radius is not None:
            spread = spread_of(details["covariance"])
            expected = self.radius.expected(spread, score)
            details["error_p50"] = self.radius.p50 * expected
            details["error_p95"] = self.radius.p95 * expected
        if self.cases:
            low = (score < self.doubtful).astype(np.float64)
            details["low_confidence"] = np.where(there, low, np.nan)
        if self.shape is not None:
            flags = self.shape.implausible(np.where(there[:, None], shape, np.nan))
            judged = there & (there.sum() >= 3)
            details["plausible"] = np.where(judged, 1.0 - flags, np.nan)
        status = np.where(there, PRESENT, ABSENT).astype(np.int8)
        return replace(points, coordinates=places, status=status, details=details)


def learn(
    evidence: Evidence,
    base: ShapePrior | None = None,
    prior: ShapePrior | None = None,
) -> Confidence:
    """Learn from validation how far a model's points are to be trusted.

    Parameters
    ----------
    evidence : Evidence
        Of the validation.
    base : ShapePrior, optional
        Of annotated shapes; how far off predictions usually are is added.
    prior : ShapePrior, optional
        One with that, in place of ``base``.

    Returns
    -------
    Confidence
        Thresholds that have the best F1 of presence; radii by isotonic regression and a
        conformal quantile (Lei et al., JASA 2018, doi:10.1080/01621459.2017.1307116).
    """
    count = len(evidence.names)
    score = np.array(evidence.score, dtype=np.float64).reshape(-1, count)
    spread = np.array(evidence.spread, dtype=np.float64).reshape(-1, count)
    status = np.array(evidence.status, dtype=object).reshape(-1, count)
    present = status == STATUS[PRESENT]
    known = status != STATUS[UNKNOWN]
    errors = evidence.errors
    if prior is None and base is not None:
        axes = len(base.mean[0])
        prior = base.with_noise(_usual_error(errors) / axes**0.5)
    return Confidence(
        names=evidence.names,
        thresholds=tuple(presence_thresholds(score, present, known, evidence.usual)),
        doubtful=tuple(
            float(np.quantile(s[p], LOW)) if p.any() else 0.0
            for s, p in zip(score.T, present.T, strict=True)
        ),
        cases=len(evidence.cases),
        radius=fit_radius(errors, spread, score),
        shape=prior,
    )


def learn_apart(
    evidence: Evidence, base: ShapePrior | None = None
) -> dict[str, Confidence]:
    """Return for each case what the cases of other groups teach.

    A threshold or radius that is judged by the cases that it was chosen on looks better
    than it is.

    Parameters
    ----------
    evidence : Evidence
        Of the validation.
    base : ShapePrior, optional
        See `learn`.

    Returns
    -------
    dict of str to Confidence
        By case. Every fifth case is of one group; a single case learns from nothing,
        and is left out.
    """
    count = len(evidence.cases)
    found: dict[str, Confidence] = {}
    groups = min(GROUPS, count) if count > 1 else 0
    for group in range(groups):
        others = [i for i in range(count) if i % groups != group]
        learnt = learn(evidence.of_cases(others), base)
        found |= dict.fromkeys(evidence.cases[group::groups], learnt)
    return found


def confidence_table(confidence: Confidence, evidence: Evidence, unit: str) -> str:
    """Return a table for people, a line for each landmark.

    Parameters
    ----------
    confidence : Confidence
        What was learnt.
    evidence : Evidence
        Of what.
    unit : str
        Of lengths.

    Returns
    -------
    str
        Thresholds, and the radii that the median validation case has.
    """
    head = ["landmark", "present from score", f"error p50 [{unit}]"]
    rows = [[*head, f"error p95 [{unit}]"]]
    for i, name in enumerate(confidence.names):
        threshold = confidence.thresholds[i]
        row = [name, f"{threshold:.2f}" if threshold > 0 else "always"]
        radius = confidence.radius
        if radius is None or not evidence.cases:
            rows.append([*row, "-", "-"])
            continue
        score, spread = np.array(evidence.score), np.array(evidence.spread)
        usual = float(np.median(radius.expected(spread, score)[:, i]))
        rows.append([*row, f"{radius.p50 * usual:.2f}", f"{radius.p95 * usual:.2f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.append(f"Learnt from {confidence.cases} cases.")
    if confidence.radius is None:
        lines.append("Too few points were found to say how far they are off.")
    if confidence.shape is None:
        lines.append("Too few complete annotations to say which shapes are plausible.")
    return "\n".join(lines)


def spread_of(covariance: Array) -> Array:
    """Return the root of the trace of covariances (..., D, D): one length for each."""
    result: Array = np.sqrt(np.trace(covariance, axis1=-2, axis2=-1))
    return result


def _usual_error(errors: Array) -> float:
    """Return the root mean square of errors but the largest twentieth."""
    ordered = np.sort(errors[np.isfinite(errors)])
    usual = ordered[: max(1, int(0.95 * len(ordered)))]
    return float(np.sqrt(np.mean(usual**2))) if len(usual) else 0.0


def _kept(values: Array) -> tuple[float, ...]:
    return tuple(np.round(values, DIGITS).tolist())
