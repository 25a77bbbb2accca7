"""What several opinions about the same points say together.

Letters: O opinions, L landmarks, D axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import LandmarkTask

Array = NDArray[np.float64]

NEAR = 3.0  # widths of the target: opinions this near to each other mean the same place
ROUNDS = 20


def combine(
    points: Sequence[Points], task: LandmarkTask, spacing: Sequence[float] = ()
) -> Points:
    """Return one opinion from those of folds and mirrored copies.

    Parameters
    ----------
    points : sequence of Points
        From `autoseg.predict.readouts._points.views.predict_points`.
    task : LandmarkTask
        Gives the thresholds, and how wide a target is.
    spacing : sequence of float, length D, optional
        Edge of a voxel, by which targets are measured; by default all edges are one.

    Returns
    -------
    Points
        Coordinates are means weighted by score. An opinion that is n times three widths
        of the target away from that counts n * n times less: one fold that takes
        another place for the landmark does not move it there. The score is the mean,
        and the covariance that of the mixture: what the opinions say and how they
        differ.
    """
    score = np.stack([one.details["score"] for one in points])
    place = np.stack([one.details["peak"] for one in points])
    widths = np.asarray(task.sigma_on(tuple(spacing) or (1.0,) * place.shape[2]))
    weight = score / np.maximum(score.sum(0), 1e-12)
    trust = weight * _agreement(place / (NEAR * widths), weight)
    trust = trust / np.maximum(trust.sum(0), 1e-12)
    found = _mixture(points, task, weight, trust)
    if all("here" in one.details for one in points):
        here = np.mean([one.details["here"] for one in points], axis=0)
        found = replace(found, details={**found.details, "here": here})
    return found


def average(
    points: Sequence[Points], task: LandmarkTask, edges: Sequence[float]
) -> Points:
    """Return the mean of what several models found in an image.

    Parameters
    ----------
    points : sequence of Points
        From `autoseg.predict.readouts._points.views.restore`, in voxels of the image,
        covariances in
        squared units of length.
    task : LandmarkTask
        Gives the thresholds.
    edges : sequence of float, length D
        Edge of a voxel.

    Returns
    -------
    Points
        Coordinates are means weighted by score, of those models that have a place; the
        score is the mean, and the covariance that of the mixture.
    """
    score = np.stack([one.details["score"] for one in points])
    place = np.stack([one.details["peak"] for one in points])
    known = np.isfinite(place).all(-1)
    weight = np.where(known, np.maximum(score, 1e-12), 0.0)
    with np.errstate(invalid="ignore"):
        weight = weight / weight.sum(0)
    return _mixture(points, task, weight, weight, edges)


def _mixture(
    points: Sequence[Points],
    task: LandmarkTask,
    weight: Array,
    trust: Array,
    edges: Sequence[float] | float = 1.0,
) -> Points:
    """Return the mean of places by trust, with the covariance of the mixture by weight.

    Parameters
    ----------
    points : sequence of Points
        O opinions, whose places may be NaN where their weight is 0.
    task : LandmarkTask
        Gives the thresholds.
    weight, trust : ndarray of float64, shape (O, L)
        Sums over opinions are 1.
    edges : sequence of float, length D, or 1
        Edge of a voxel in the unit of the covariances.
    """
    score = np.stack([one.details["score"] for one in points])
    place = np.stack([one.details["peak"] for one in points])
    known = np.isfinite(place).all(-1)
    mean = (trust[..., None] * np.where(known[..., None], place, 0.0)).sum(0)
    away = np.where(known[..., None], place - mean, 0.0) * np.asarray(edges)
    spread = away[..., :, None] * away[..., None, :]
    own = np.stack([one.details["covariance"] for one in points])
    own = np.where(known[..., None, None], own, 0.0)
    sure = score.mean(0)
    details = {
        "score": sure,
        "covariance": (weight[..., None, None] * (own + spread)).sum(0),
        "peak": mean,
    }
    status = np.where(sure >= task.thresholds, PRESENT, ABSENT)
    return Points(task.classes, mean, status, details, points[0].shape)


def _agreement(place: Array, weight: Array) -> Array:
    """Return by how much less each opinion counts, (O, L), 1 for those that agree.

    Parameters
    ----------
    place : ndarray of float64, shape (O, L, D)
        In units of which one is near.
    weight : ndarray of float64, shape (O, L)
        Of the opinions.
    """
    if len(place) == 1:
        return np.ones_like(weight)
    apart = np.linalg.norm(place[:, None] - place[None], axis=3)
    # Start from the opinion that is nearest to all others.
    best = np.einsum("opl,pl->ol", np.minimum(apart, 1.0), weight).argmin(0)
    middle = place[best, np.arange(place.shape[1])]
    for _ in range(ROUNDS):
        away = np.linalg.norm(place - middle, axis=2)
        less = 1.0 / np.maximum(away, 1.0) ** 2
        trust = weight * less
        total = np.maximum(trust.sum(0), 1e-12)
        middle = (trust[..., None] * place).sum(0) / total[:, None]
    result: Array = less
    return result
