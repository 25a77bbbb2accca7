"""The error of a predicted point that is to be expected, learnt from validation.

Legend: N cases, L landmarks. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 20  # errors, to learn from
KNOTS = 33  # of the curve from doubt to expected error, at most
TOGETHER = 10  # errors that a knot stands on, at least
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
        Knots of a rising curve from doubt to usual error, the geometric mean.
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
        """Return the usual error of each landmark.

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
        result: Array = np.interp(doubt, self.doubt, self.error) * np.asarray(
            self.scale
        )
        return result


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
    if np.isfinite(errors).sum() < FEWEST:
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
    # Every model reads this file, and few need it.
    from scipy.optimize import isotonic_regression, nnls

    rows = np.isfinite(errors)
    sizes = np.maximum(errors[rows], 1e-3 * max(errors[rows].mean(), EDGE))
    terms = np.stack([np.log(np.maximum(spread, EDGE))[rows], -_logit(score)[rows]], 1)
    centered = terms - terms.mean(axis=0)
    logs = np.log(sizes)
    weights, _ = nnls(centered, logs - logs.mean())
    doubt = terms @ weights
    order = np.argsort(doubt, kind="stable")
    # The mean of logarithms of several: one point that is far off, where doubt is
    # largest, must not decide alone what all doubtful ones are told.
    bins = np.array_split(order, min(KNOTS, max(1, len(order) // TOGETHER)))
    rising = isotonic_regression(
        [logs[of].mean() for of in bins], weights=[len(of) for of in bins]
    ).x
    knots, first = np.unique([doubt[of].mean() for of in bins], return_index=True)
    curve = ErrorRadius(
        spread_weight=float(weights[0]),
        score_weight=float(weights[1]),
        doubt=tuple(knots.tolist()),
        error=tuple(np.exp(rising[first]).tolist()),
        scale=(1.0,) * errors.shape[1],
        p50=1.0,
        p95=1.0,
    )
    ratio = np.zeros(errors.shape)
    ratio[rows] = logs - np.log(curve.expected(spread, score)[rows])
    scale = np.exp(ratio.sum(axis=0) / (rows.sum(axis=0) + SHRUNK))
    return replace(curve, scale=tuple(scale.tolist()))


def _logit(score: Array) -> Array:
    inside = np.clip(score, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))
