"""How far to trust a predicted point, learnt from validation cases; JSON numbers.

Legend: N cases, L landmarks, D axes. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, nnls

from autoseg.landmarks.shape import ShapePrior, fit_shapes, shapes_of
from autoseg.spec.points import ABSENT, PRESENT, Points

Array = NDArray[np.float64]
Triple = tuple[Points, Points, Sequence[float]]

FEWEST = 5  # cases with and without a landmark, for a threshold of its own
LOW = 0.01  # quantile of the scores of found points, under which one is doubtful
KNOTS = 33  # of the curve from doubt to expected error
FOLDS = 5
SHRUNK = 10.0  # cases that the common curve counts as, beside a landmark's own
EDGE = 1e-6  # scores are kept this far from 0 and 1 in logarithms


@dataclass(frozen=True, kw_only=True)
class ErrorRadius:
    """From what the network says to the error that is to be expected.

    Parameters
    ----------
    spread_weight, score_weight : float
        Doubt is their sum with log(spread) and -logit(score).
    doubt, error : tuple of float
        Knots of a rising curve from doubt to expected error.
    scale : tuple of float, length L
        What each landmark's errors are of the curve.
    p50, p95 : float
        Quantiles of error divided by expected error, in cases that took no part.
    """

    spread_weight: float
    score_weight: float
    doubt: tuple[float, ...]
    error: tuple[float, ...]
    scale: tuple[float, ...]
    p50: float
    p95: float

    def expected(self, spread: Array, score: Array) -> Array:
        """Return the expected error of each landmark.

        Parameters
        ----------
        spread, score : ndarray of float64, shape (..., L)
            See `spread_of`; and the network's score.

        Returns
        -------
        ndarray of float64, shape (..., L)
            Multiply by ``p50`` and ``p95`` for quantiles.
        """
        doubt = self.spread_weight * np.log(np.maximum(spread, EDGE))
        doubt = doubt - self.score_weight * _logit(score)
        return np.interp(doubt, self.doubt, self.error) * np.asarray(self.scale)


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
    radius : ErrorRadius or None
        None where too few points were found.
    shape : ShapePrior or None
        None where there were too few shapes.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    doubtful: tuple[float, ...]
    radius: ErrorRadius | None = None
    shape: ShapePrior | None = None

    def annotate(self, points: Points, spacing: Sequence[float]) -> Points:
        """Return predicted points with what is known about how far to trust them.

        Parameters
        ----------
        points : Points
            A prediction with the details ``score`` (L,), ``covariance`` (L, D, D) in
            square voxels and, for points that may become present, ``peak`` (L, D).
        spacing : sequence of float, length D
            Edge of a voxel.

        Returns
        -------
        Points
            With status by the thresholds, and the details ``sigma`` (L, D, D), the
            covariance in the unit of the spacing squared; ``error_p50`` and
            ``error_p95``; ``low_confidence`` and ``implausible``, 0 or 1.
        """
        points = points.ordered(self.names)
        details = dict(points.details)
        score = np.nan_to_num(np.asarray(details["score"], dtype=np.float64))
        places = np.asarray(details.get("peak", points.coordinates))
        there = np.isfinite(places).all(axis=1) & (score >= self.thresholds)
        sigma = physical_covariance(details["covariance"], spacing)
        details["sigma"] = sigma
        if self.radius is not None:
            expected = self.radius.expected(spread_of(sigma), score)
            details["error_p50"] = self.radius.p50 * expected
            details["error_p95"] = self.radius.p95 * expected
        details["low_confidence"] = (score < self.doubtful).astype(np.float64)
        if self.shape is not None:
            shape = np.where(there[:, None], places * np.asarray(spacing), np.nan)
            flags = self.shape.implausible(shape)
            details["implausible"] = flags.astype(np.float64)
        status = np.where(there, PRESENT, ABSENT).astype(np.int8)
        return replace(points, coordinates=places, status=status, details=details)


def calibrate(
    cases: Sequence[Triple], training: Sequence[tuple[Points, Sequence[float]]] = ()
) -> Confidence:
    """Learn from validation how far a model's points are to be trusted.

    Parameters
    ----------
    cases : sequence of (Points, Points, spacing)
        Prediction with details as `Confidence.annotate` needs them, annotation, and the
        edge of a voxel; all of the same landmarks.
    training : sequence of (Points, spacing)
        Annotations for the prior of shapes; by default those of ``cases``.

    Returns
    -------
    Confidence
        Thresholds that have the best F1 of presence; radii by isotonic regression and a
        conformal quantile (Lei et al., JASA 2018, doi:10.1080/01621459.2017.1307116).
    """
    names = cases[0][1].names
    found = [predicted.ordered(names) for predicted, _, _ in cases]
    spacings = [spacing for _, _, spacing in cases]
    score = np.nan_to_num(np.stack([p.details["score"] for p in found]))
    places = [p.details.get("peak", p.coordinates) for p in found]
    sigma = [
        physical_covariance(p.details["covariance"], s)
        for p, s in zip(found, spacings, strict=True)
    ]
    truth = [reference.ordered(names) for _, reference, _ in cases]
    apart = shapes_of(places, spacings) - shapes_of(
        [t.coordinates for t in truth], spacings
    )
    errors = np.linalg.norm(apart, axis=2)
    present = np.stack([t.present for t in truth])
    known = np.stack([t.known for t in truth])
    shapes = training or [(t, s) for t, s in zip(truth, spacings, strict=True)]
    return Confidence(
        names=names,
        thresholds=tuple(presence_thresholds(score, present, known)),
        doubtful=tuple(
            float(np.quantile(s[p], LOW)) if p.any() else 0.0
            for s, p in zip(score.T, present.T, strict=True)
        ),
        radius=fit_radius(errors, np.stack([spread_of(s) for s in sigma]), score),
        shape=fit_shapes(
            shapes_of(
                [points.ordered(names).coordinates for points, _ in shapes],
                [spacing for _, spacing in shapes],
            ),
            _usual_error(errors) / np.sqrt(len(spacings[0])),
        ),
    )


def _usual_error(errors: Array) -> float:
    """Return the root mean square of errors but the largest twentieth."""
    ordered = np.sort(errors[np.isfinite(errors)])
    usual = ordered[: max(1, int(0.95 * len(ordered)))]
    return float(np.sqrt(np.mean(usual**2))) if len(usual) else 0.0


def physical_covariance(covariance: Array, spacing: Sequence[float]) -> Array:
    """Return covariances (L, D, D) in square voxels in the unit of the spacing."""
    edges = np.asarray(spacing, dtype=np.float64)
    return np.asarray(covariance, dtype=np.float64) * edges[:, None] * edges


def spread_of(covariance: Array) -> Array:
    """Return the root of the trace of covariances (..., D, D): one length for each."""
    return np.sqrt(np.trace(covariance, axis1=-2, axis2=-1))


def presence_thresholds(
    score: Array, present: NDArray[np.bool_], known: NDArray[np.bool_]
) -> list[float]:
    """Return for each landmark the score with the best F1 of presence.

    Parameters
    ----------
    score : ndarray of float64, shape (N, L)
        Of validation cases.
    present, known : ndarray of bool, shape (N, L)
        What the annotation says.

    Returns
    -------
    list of float, length L
        0 where a landmark is never absent. With fewer than 5 cases of either kind, the
        best threshold of all landmarks that are sometimes absent together.
    """
    absent = known & ~present
    sometimes = np.asarray(np.any(absent, axis=0))
    pooled = known & sometimes
    common = _best_threshold(score[pooled], present[pooled])
    found = []
    for column in range(score.shape[1]):
        own = known[:, column]
        if not sometimes[column]:
            found.append(0.0)
        elif min(present[own, column].sum(), absent[own, column].sum()) < FEWEST:
            found.append(common)
        else:
            found.append(_best_threshold(score[own, column], present[own, column]))
    return found


def _best_threshold(score: Array, present: NDArray[np.bool_]) -> float:
    """Return the middle of the scores between which the F1 is best."""
    if not len(score):
        return 0.0
    order = np.argsort(score)
    ordered, truth = score[order], present[order]
    steps = np.concatenate([[0.0], ordered, [1.0]])
    kept = truth.sum() - np.concatenate([[0], np.cumsum(truth)])
    said = len(score) - np.arange(len(score) + 1)
    f1 = 2 * kept / np.maximum(1, said + truth.sum())
    # Between equal scores no threshold fits.
    f1 = np.where(np.diff(steps) > 0, f1, -1.0)
    best = int(np.argmax(f1))
    return float((steps[best] + steps[best + 1]) / 2)


def fit_radius(errors: Array, spread: Array, score: Array) -> ErrorRadius | None:
    """Learn the error that is to be expected.

    Parameters
    ----------
    errors : ndarray of float64, shape (N, L)
        Of validation cases; NaN where there is none.
    spread, score : ndarray of float64, shape (N, L)
        See `ErrorRadius.expected`.

    Returns
    -------
    ErrorRadius or None
        None for fewer than 20 errors. Its quantiles are of errors in cases that took no
        part in the curve, with the correction for a finite sample.
    """
    if np.isfinite(errors).sum() < 4 * FEWEST:
        return None
    ratios = []
    for fold in range(min(FOLDS, len(errors))):
        out = np.arange(len(errors)) % FOLDS == fold
        curve = _fit_curve(errors[~out], spread[~out], score[~out])
        ratio = errors[out] / curve.expected(spread[out], score[out])
        ratios.append(ratio[np.isfinite(ratio)])
    every = np.sort(np.concatenate(ratios))
    return replace(
        _fit_curve(errors, spread, score),
        p50=_conformal(every, 0.5),
        p95=_conformal(every, 0.95),
    )


def _conformal(ordered: Array, level: float) -> float:
    """Return the ceil((n + 1) level)-th smallest value, or the largest."""
    rank = int(np.ceil((len(ordered) + 1) * level))
    return float(ordered[min(rank, len(ordered)) - 1])


def _fit_curve(errors: Array, spread: Array, score: Array) -> ErrorRadius:
    rows = np.isfinite(errors)
    sizes = np.maximum(errors[rows], 1e-3 * max(errors[rows].mean(), EDGE))
    terms = np.stack([np.log(np.maximum(spread, EDGE))[rows], -_logit(score)[rows]], 1)
    centered = terms - terms.mean(axis=0)
    logs = np.log(sizes)
    weights, _ = nnls(centered, logs - logs.mean())
    doubt = terms @ weights
    order = np.argsort(doubt, kind="stable")
    rising = isotonic_regression(sizes[order]).x
    places = (
        np.linspace(0, len(rising) - 1, min(KNOTS, len(rising))).round().astype(int)
    )
    # The worst few decide the curve's end alone; an interpolated knot needs neighbors.
    knots, first = np.unique(doubt[order][places], return_index=True)
    curve = ErrorRadius(
        spread_weight=float(weights[0]),
        score_weight=float(weights[1]),
        doubt=tuple(knots.tolist()),
        error=tuple(rising[places][first].tolist()),
        scale=(1.0,) * errors.shape[1],
        p50=1.0,
        p95=1.0,
    )
    ratio = np.where(rows, errors / curve.expected(spread, score), 0.0)
    scale = (ratio.sum(axis=0) + SHRUNK) / (rows.sum(axis=0) + SHRUNK)
    return replace(curve, scale=tuple(scale.tolist()))


def _logit(score: Array) -> Array:
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))
