"""How far predicted points are from annotated ones, and what they say is there.

Legend: L landmarks, D axes. Lengths are in the unit of the spacing. A radius counts as
reached with ``<=``, as in the ISBI challenges' definition of the success detection rate
(Wang et al., Med. Image Anal. 2016, doi:10.1016/j.media.2016.02.004).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.points import Points

Array = NDArray[np.float64]

ROUNDING = 1e-12
RADII = (1.0, 2.0, 2.5, 3.0, 4.0, 10.0)  # of the success detection rate
FRACTIONS = (0.05, 0.1, 0.2)  # of the normalizing length: correct keypoints
QUANTILES = (50, 95)  # of the expected error that predictions may carry
NORMALIZATIONS = ("diagonal", "box")


def score_points(
    predicted: Points,
    reference: Points,
    spacing: Sequence[float],
    normalization: str | Sequence[str] = "diagonal",
) -> dict[str, dict[str, float]]:
    """Score the points of one case.

    Parameters
    ----------
    predicted, reference : Points
        In index space of the same grid; matched by name. Points whose reference is
        unknown count for nothing.
    spacing : sequence of float, length D
        Edge of a voxel along each axis, slowest first.
    normalization : str or (str, str)
        See `normalizing_length`.

    Returns
    -------
    dict of str to dict of str to float
        By landmark: ``mre``, the distance; ``sdr_R``, whether it is at most R, 0 for a
        point that was missed; ``nme``, the distance divided by the normalizing length;
        ``pck_F``, whether that is at most F; ``tp``, ``fp``, ``fn``, ``tn``, what was
        said about presence; ``score``, as predicted; ``covered_50`` and
        ``covered_95``, whether the distance is at most the predicted quantile of the
        error. NaN: not defined.

    Examples
    --------
    >>> one = Points.of({"tip": (3.0, 4.0)}, dim=2)
    >>> other = Points.of({"tip": (0.0, 0.0)}, dim=2)
    >>> scores = score_points(one, other, (0.5, 0.5))["tip"]
    >>> scores["mre"], scores["sdr_2"], scores["sdr_2.5"]
    (2.5, 0.0, 1.0)
    """
    found = predicted.ordered(reference.names)
    errors = distances(found, reference, spacing)
    relative = errors / normalizing_length(reference, spacing, normalization)
    here, said = reference.present, found.present
    absent = reference.known & ~here
    columns: dict[str, Array] = {"mre": errors}
    for radius in RADII:
        columns[f"sdr_{radius:g}"] = _where(here, said & _within(errors, radius))
    columns["nme"] = relative
    measured = here & (np.isfinite(relative) | ~said)
    for fraction in FRACTIONS:
        hit = said & _within(relative, fraction)
        columns[f"pck_{fraction:g}"] = _where(measured, hit)
    for name, truth, answer in (
        ("tp", here, said),
        ("fn", here, ~said),
        ("fp", absent, said),
        ("tn", absent, ~said),
    ):
        columns[name] = _where(reference.known, truth & answer)
    if "score" in found.details:
        scores = np.asarray(found.details["score"], dtype=np.float64)
        columns["score"] = np.where(reference.known, scores, math.nan)
    for quantile in QUANTILES:
        radii = found.details.get(f"error_p{quantile}")
        if radii is not None:
            known = np.isfinite(errors) & np.isfinite(radii)
            columns[f"covered_{quantile}"] = _where(known, _within(errors, radii))
    return {
        name: {metric: float(values[i]) for metric, values in columns.items()}
        for i, name in enumerate(reference.names)
    }


def distances(one: Points, other: Points, spacing: Sequence[float]) -> Array:
    """Return distances between points of the same names, NaN unless both are there.

    Parameters
    ----------
    one, other : Points
        In the same order.
    spacing : sequence of float, length D
        Edge of a voxel.

    Returns
    -------
    ndarray of float64, shape (L,)
        In the unit of the spacing.
    """
    apart = (one.coordinates - other.coordinates) * np.asarray(spacing)
    return np.asarray(np.linalg.norm(apart, axis=1))


def normalizing_length(
    reference: Points, spacing: Sequence[float], rule: str | Sequence[str]
) -> float:
    """Return the length that errors of a case are divided by.

    Parameters
    ----------
    reference : Points
        What a person drew.
    spacing : sequence of float, length D
        Edge of a voxel.
    rule : str or (str, str)
        ``"diagonal"`` of the box around the points; ``"box"``, the geometric mean of
        its edges, which is sqrt(width * height) in pictures of faces; or two landmarks,
        whose distance is taken (the outer corners of the eyes, the hips).

    Returns
    -------
    float
        NaN where it is zero or cannot be known.

    Raises
    ------
    UsageError
        If the rule names no such landmarks.
    """
    places = reference.coordinates * np.asarray(spacing)
    if isinstance(rule, str):
        if rule not in NORMALIZATIONS:
            raise UsageError(
                f"errors cannot be normalized by {rule!r}."
                f"{did_you_mean(rule, NORMALIZATIONS)} Give "
                f"{', '.join(NORMALIZATIONS)}, or two landmarks."
            )
        places = places[reference.present]
        if not len(places):
            return math.nan
        edges = np.ptp(places, axis=0)
        if rule == "diagonal":
            length = float(np.linalg.norm(edges))
        else:
            length = float(np.prod(edges) ** (1 / len(edges)))
    else:
        unknown = [name for name in rule if name not in reference.names]
        if unknown or len(rule) != 2:
            near = did_you_mean(unknown[0], reference.names) if unknown else ""
            raise UsageError(
                f"errors cannot be normalized by {', '.join(rule)}.{near} Give two of "
                f"the landmarks {', '.join(reference.names)}."
            )
        one, other = (places[reference.names.index(name)] for name in rule)
        length = float(np.linalg.norm(one - other))
    return length if length > 0 else math.nan


def area_under_errors(errors: Array, limit: float) -> float:
    """Return the area under the cumulative distribution of errors up to a limit.

    Parameters
    ----------
    errors : ndarray of float64, shape (N,)
        One for each case; infinite for a case that failed.
    limit : float
        Where the curve ends; the area is divided by it.

    Returns
    -------
    float
        1 if all errors are 0, 0 if all are over the limit, NaN without errors.

    Examples
    --------
    >>> area_under_errors(np.array([0.0, 0.05, 0.2]), 0.1)
    0.5
    """
    if not len(errors):
        return math.nan
    # Each case adds a step at its error, as long as what is left up to the limit.
    return float(np.clip(1 - errors / limit, 0, None).mean())


def area_under_roc(scores: Array, present: NDArray[np.bool_]) -> float:
    """Return how probably a present point has a higher score than an absent one.

    Parameters
    ----------
    scores : ndarray of float64, shape (N,)
        Of points.
    present : ndarray of bool, shape (N,)
        Whether they are there.

    Returns
    -------
    float
        Half for equal scores; NaN unless there are some of both.
    """
    from scipy.stats import rankdata

    positive, negative = int(present.sum()), int((~present).sum())
    if not positive or not negative:
        return math.nan
    ranks = rankdata(scores)[present].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def _within(distances: Array, limit: Any) -> NDArray[np.bool_]:
    """Say which distances are at most a limit, whatever the last digit is rounded to.

    18 and 24 pixels of 0.1 mm make 3 mm, and 3.0000000000000004 in binary numbers.
    """
    return np.asarray(distances <= np.asarray(limit) * (1 + ROUNDING))


def _where(defined: NDArray[np.bool_], values: NDArray[np.bool_]) -> Array:
    return np.where(defined, values.astype(np.float64), math.nan)


def presence(counts: Mapping[str, float]) -> dict[str, float]:
    """Return precision, recall and F1 of presence from tp, fp and fn; NaN for 0 / 0.

    Parameters
    ----------
    counts : mapping of str to float
        ``tp``, ``fp`` and ``fn``.

    Returns
    -------
    dict of str to float
        ``precision``, ``recall``, ``f1``.

    Examples
    --------
    >>> presence({"tp": 2, "fp": 2, "fn": 0})["precision"]
    0.5
    """
    tp, fp, fn = (counts[name] for name in ("tp", "fp", "fn"))

    def ratio(over: float, under: float) -> float:
        return over / under if under else math.nan

    return {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }
