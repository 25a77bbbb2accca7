"""How far to trust a predicted point, learnt from validation cases; JSON numbers.

Legend: N cases, L landmarks, D axes. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import amount
from autoseg.landmarks.evidence import Evidence, spread_of
from autoseg.landmarks.presence import presence_thresholds
from autoseg.landmarks.radius import ErrorRadius, fit_radius
from autoseg.landmarks.shape import ShapePrior
from autoseg.spec.points import ABSENT, PRESENT, STATUS, UNKNOWN, Points

Array = NDArray[np.float64]

LOW = 0.01  # quantile of the scores of found points, under which one is doubtful
GROUPS = 5  # of validation cases, each judged by what the others taught


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
    lines.append(f"Learnt from {amount(confidence.cases, 'case')}.")
    if confidence.radius is None:
        lines.append("Too few points were found to say how far they are off.")
    if confidence.shape is None:
        lines.append("Too few complete annotations to say which shapes are plausible.")
    return "\n".join(lines)


def _usual_error(errors: Array) -> float:
    """Return the root mean square of errors but the largest twentieth."""
    ordered = np.sort(errors[np.isfinite(errors)])
    usual = ordered[: max(1, int(0.95 * len(ordered)))]
    return float(np.sqrt(np.mean(usual**2))) if len(usual) else 0.0
