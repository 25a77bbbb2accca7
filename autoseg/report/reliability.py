"""Whether what predictions say of themselves comes true.

A probability is calibrated if, of everything that got 0.8, 80 % is right. Cases are the
witnesses: numbers are summed up case by case, and intervals come from drawing cases.

References
----------
.. [1] Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
   AAAI 2015. doi:10.1609/aaai.v29i1.9602. The expected calibration error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.evaluate.aggregate import SEED, interval, resample
from autoseg.evaluate.ranks import spearman

Floats = NDArray[np.float64]

BINS = 10


def tally(said: Floats, seen: Floats, counts: Floats | None = None) -> Floats:
    """Sum up one case in ten bins of what was said.

    Parameters
    ----------
    said : ndarray of float, shape (N,)
        Probabilities, 0 to 1.
    seen : ndarray of float, shape (N,)
        How much of each came true: 0 or 1, or of several together a share of 1.
    counts : ndarray of float, shape (N,), optional
        How many each stands for; by default 1.

    Returns
    -------
    ndarray of float64, shape (10, 3)
        In each bin: how many, the sum of what was said, the sum of what came true.

    Examples
    --------
    >>> tally(np.array([0.05, 0.95, 1.0]), np.array([0.0, 1.0, 0.0]))[-1].tolist()
    [2.0, 1.95, 1.0]
    """
    number = np.ones(len(said)) if counts is None else counts
    place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    columns = (number, number * said, number * seen)
    return np.stack([np.bincount(place, c, BINS) for c in columns], axis=1)


def reliability(tallies: Floats) -> dict[str, Any] | None:
    """Return the reliability curve of cases, and the expected calibration error.

    Parameters
    ----------
    tallies : ndarray of float, shape (cases, 10, 3)
        From `tally`.

    Returns
    -------
    dict of str to JSON value, or None
        ``error``, the expected calibration error: the mean over everything counted of
        the distance of its bin's mean probability from the share that came true [1]_,
        with the 95 % interval ``low`` and ``high``, by a bootstrap over cases;
        ``bias``, mean probability minus share, positive if too sure; ``count``;
        ``bins``: of each that holds anything ``said``, ``seen`` and ``share``, how much
        of everything is in it. None if nothing was counted.
    """
    total = tallies.sum(axis=0)
    count = float(total[:, 0].sum())
    if not count:
        return None
    low = high = math.nan
    if len(tallies) > 1:
        weights = resample(len(tallies), SEED)
        drawn = np.einsum("bc,cij->bij", weights, tallies)
        known = drawn[..., 0].sum(axis=1) > 0
        low, high = interval(_error(drawn[known]))
    return {
        "error": float(_error(total[None])[0]),
        "low": low,
        "high": high,
        "bias": float((total[:, 1] - total[:, 2]).sum() / count),
        "count": round(count),
        "bins": [
            {"said": said / here, "seen": seen / here, "share": here / count}
            for here, said, seen in total.tolist()
            if here
        ],
    }


def _error(totals: Floats) -> Floats:
    """Return the expected calibration error of totals (B, 10, 3): (B,)."""
    apart = np.abs(totals[..., 1] - totals[..., 2]).sum(axis=-1)
    return np.asarray(apart / totals[..., 0].sum(axis=-1))


def coverage(inside: Floats) -> dict[str, Any] | None:
    """Return how often radii held what they were to hold.

    Parameters
    ----------
    inside : ndarray of float, shape (cases, M)
        1 where the error was within the radius, 0 where not, NaN where unknown.

    Returns
    -------
    dict of str to JSON value, or None
        ``seen``, the share, with its 95 % interval over cases, and ``count``.
    """
    known = np.isfinite(inside)
    if not known.any():
        return None
    hits, numbers = np.nansum(inside, axis=1), known.sum(axis=1)
    low = high = math.nan
    if len(inside) > 1:
        weights = resample(len(inside), SEED)
        below = weights @ numbers
        some = below > 0
        low, high = interval((weights @ hits)[some] / below[some])
    seen = float(hits.sum() / numbers.sum())
    return {"seen": seen, "low": low, "high": high, "count": int(numbers.sum())}


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Return Spearman's correlation; None for fewer than three or all equal."""
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return round(spearman(one, other), 4)
