"""Whether a point is where the others have it: a linear-Gaussian prior of shapes.

Legend: N shapes, L landmarks, D axes. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7)  # towards independent coordinates
FOLDS = 5
FEWEST = 10  # shapes: fewer say nothing about what is usual
SURE = 0.999  # of plausible points are to pass
FREE = 1e4  # of the mean variance: where a shape lies says nothing
SMALLEST = 1e-3  # of the mean variance, added to each: no direction is quite fixed


@dataclass(frozen=True, kw_only=True)
class ShapePrior:
    """What shapes are usual, as JSON numbers.

    Parameters
    ----------
    mean : tuple of tuple of float, shape (L, D)
        Of all shapes, each moved so that it lies on the others.
    covariance : tuple of tuple of float, shape (L * D, L * D)
        About the mean, shrunk.
    limit : float
        Squared Mahalanobis distance over which a point is implausible.
    """

    mean: tuple[tuple[float, ...], ...]
    covariance: tuple[tuple[float, ...], ...]
    limit: float

    def distances(self, shape: Array) -> Array:
        """Return how far each point is from where the others have it.

        Parameters
        ----------
        shape : ndarray of float64, shape (L, D)
            NaN where a point is not there.

        Returns
        -------
        ndarray of float64, shape (L,)
            Squared Mahalanobis distances to the prediction from all other points; NaN
            where a point is not there.
        """
        return _distances(np.asarray(shape), np.array(self.mean), self._matrix())

    def implausible(self, shape: Array) -> NDArray[np.bool_]:
        """Return which points do not fit the others.

        The worst is taken away, and the others are looked at again: a point that is
        far off makes its neighbors look wrong, too. At the end each that was taken away
        is tried once more.

        Parameters
        ----------
        shape : ndarray of float64, shape (L, D)
            NaN where a point is not there.

        Returns
        -------
        ndarray of bool, shape (L,)
            At most half of the points that are there.
        """
        kept = np.array(shape, dtype=np.float64)
        flagged = np.zeros(len(kept), dtype=bool)
        mean, matrix = np.array(self.mean), self._matrix()
        for _ in range(int(np.isfinite(kept).all(axis=1).sum()) // 2):
            apart = np.nan_to_num(_distances(kept, mean, matrix))
            worst = int(np.argmax(apart))
            if apart[worst] <= self.limit:
                break
            flagged[worst] = True
            kept[worst] = np.nan
        for blamed in np.flatnonzero(flagged):
            kept[blamed] = shape[blamed]
            flagged[blamed] = _distances(kept, mean, matrix)[blamed] > self.limit
            if flagged[blamed]:
                kept[blamed] = np.nan
        return flagged

    def expected(self, shape: Array) -> tuple[Array, Array]:
        """Return where the points that are not there would be, by the others.

        Parameters
        ----------
        shape : ndarray of float64, shape (L, D)
            NaN where a point is not there; at least one is.

        Returns
        -------
        places : ndarray of float64, shape (L, D)
            Those that are there stay.
        covariance : ndarray of float64, shape (L, D, D)
            Of each place; 0 of those that are there.
        """
        mean, matrix = np.array(self.mean), self._matrix()
        count, dim = mean.shape
        there = np.isfinite(shape).all(axis=1)
        known = np.repeat(there, dim)
        matrix = matrix + _anywhere(matrix, count, dim)
        offset = _offset(shape, mean)
        apart = (np.asarray(shape) - offset - mean).ravel()[known]
        gain = matrix[np.ix_(~known, known)] @ np.linalg.inv(matrix[known][:, known])
        left = matrix[np.ix_(~known, ~known)] - gain @ matrix[np.ix_(known, ~known)]
        places, covariance = np.array(shape), np.zeros((count, dim, dim))
        places[~there] = (gain @ apart).reshape(-1, dim) + mean[~there] + offset
        for place, number in enumerate(np.flatnonzero(~there)):
            own = slice(place * dim, (place + 1) * dim)
            covariance[number] = left[own, own]
        return places, covariance

    def with_noise(self, noise: float) -> ShapePrior:
        """Return it for points that are found with an error along each axis.

        Parameters
        ----------
        noise : float
            Standard deviation, which is no reason for doubt.
        """
        matrix = self._matrix() + noise**2 * np.eye(len(self.covariance))
        return replace(self, covariance=tuple(map(tuple, matrix.tolist())))

    def _matrix(self) -> Array:
        return np.array(self.covariance)


def fit_shapes(shapes: Array) -> ShapePrior | None:
    """Learn what shapes are usual.

    How much the covariance is shrunk is what predicts left-out shapes best; the limit
    is the 99.9 % quantile of the chi-squared distribution, or of the distances in
    left-out shapes where those are larger.

    Parameters
    ----------
    shapes : ndarray of float64, shape (N, L, D)
        Annotated points; NaN where a point is not there.

    Returns
    -------
    ShapePrior or None
        None for fewer than 10 shapes of at least 3 landmarks.
    """
    from scipy.stats import chi2  # every model reads this file, and few need it

    shapes = np.asarray(shapes, dtype=np.float64)
    there = np.isfinite(shapes).all(axis=2)
    shapes = shapes[there.sum(axis=1) >= 3]
    if len(shapes) < FEWEST or not there.any(axis=0).all():
        return None
    choices = [_left_out(shapes, shrinkage) for shrinkage in SHRINKAGES]
    best = int(np.argmin([likelihood for likelihood, _ in choices]))
    mean, covariance = _gaussian(shapes, SHRINKAGES[best])
    limit = max(
        float(chi2.ppf(SURE, shapes.shape[2])),
        float(np.nanquantile(choices[best][1], SURE)),
    )
    return ShapePrior(
        mean=tuple(map(tuple, mean.tolist())),
        covariance=tuple(map(tuple, covariance.tolist())),
        limit=limit,
    )


def _gaussian(shapes: Array, shrinkage: float) -> tuple[Array, Array]:
    """Return mean shape and shrunk covariance; missing points count as the mean."""
    mean = _average(shapes)
    for _ in range(3):  # where points are missing, placing and averaging take turns
        placed = np.stack([shape - _offset(shape, mean) for shape in shapes])
        mean = _average(placed)
    apart = np.nan_to_num(placed - mean).reshape(len(shapes), -1)
    covariance = apart.T @ apart / max(1, len(shapes) - 1)
    variances = np.diag(np.diag(covariance))
    floor = SMALLEST * np.trace(covariance) / len(covariance)
    shrunk = (1 - shrinkage) * covariance + shrinkage * variances
    return mean, shrunk + max(floor, 1e-12) * np.eye(len(covariance))


def _offset(shape: Array, mean: Array) -> Array:
    """Return where a shape lies; the median, which one wrong point does not move."""
    apart = shape - mean
    return np.asarray(np.median(apart[np.isfinite(apart).all(axis=1)], axis=0))


def _average(shapes: Array) -> Array:
    """Return the mean shape; 0 for a point that no shape has."""
    count = np.isfinite(shapes).sum(axis=0)
    return np.asarray(np.nansum(shapes, axis=0) / np.maximum(count, 1))


def _distances(shape: Array, mean: Array, covariance: Array) -> Array:
    there = np.flatnonzero(np.isfinite(shape).all(axis=1))
    dim = shape.shape[1]
    found = np.full(len(shape), np.nan)
    if len(there) < 3:
        return found
    precision = _precision(covariance, there, dim)
    conditionals = _conditionals(shape, mean, there, precision)
    for place, (residual, block) in zip(there, conditionals, strict=True):
        found[place] = residual @ block @ residual
    return found


def _conditionals(
    shape: Array,
    mean: Array,
    there: NDArray[np.intp],
    precision: Array,
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return residual and precision of each point given all others.

    With P the precision matrix of all points, the block P_ii is the precision of point
    i given the others, and its residual is P_ii^-1 (P x)_i.
    """
    dim = shape.shape[1]
    apart = (shape - _offset(shape, mean) - mean)[there].ravel()
    pulled = (precision @ apart).reshape(-1, dim)
    blocks = [
        precision[i : i + dim, i : i + dim] for i in range(0, len(precision), dim)
    ]
    return [
        (np.asarray(np.linalg.solve(block, pull)), block)
        for block, pull in zip(blocks, pulled, strict=True)
    ]


def _precision(covariance: Array, there: NDArray[np.intp], dim: int) -> Array:
    """Return the precision matrix of the points that are there."""
    columns = (there[:, None] * dim + np.arange(dim)).ravel()
    some = covariance[np.ix_(columns, columns)]
    anywhere = _anywhere(covariance, len(there), dim)
    return np.asarray(np.linalg.inv(some + anywhere))


def _anywhere(covariance: Array, count: int, dim: int) -> Array:
    """Return what makes shapes lie anywhere: points share a variance without end."""
    shared = np.kron(np.ones((count,) * 2), np.eye(dim)) * FREE
    return np.asarray(shared * np.trace(covariance) / len(covariance))


def _left_out(shapes: Array, shrinkage: float) -> tuple[float, Array]:
    """Return how badly left-out points are predicted, and their distances."""
    total, distances = 0.0, []
    dim = shapes.shape[2]
    for fold in range(FOLDS):
        out = np.arange(len(shapes)) % FOLDS == fold
        mean, covariance = _gaussian(shapes[~out], shrinkage)
        inverse: dict[bytes, Array] = {}  # most shapes have the same points
        for shape in shapes[out]:
            there = np.flatnonzero(np.isfinite(shape).all(axis=1))
            key = there.tobytes()
            if key not in inverse:
                inverse[key] = _precision(covariance, there, dim)
            for residual, block in _conditionals(shape, mean, there, inverse[key]):
                apart = float(residual @ block @ residual)
                if np.isfinite(apart):
                    distances.append(apart)
                    total += apart - float(np.linalg.slogdet(block)[1])
    return total / max(1, len(distances)), np.array(distances or [np.nan])


def shapes_of(
    coordinates: Sequence[Array], spacings: Sequence[Sequence[float]]
) -> Array:
    """Return shapes in the unit of the spacing from points in index space.

    Parameters
    ----------
    coordinates : sequence of ndarray, each of shape (L, D)
        Of each case, in the same order of landmarks.
    spacings : sequence of sequence of float
        Edge of a voxel in each case.

    Returns
    -------
    ndarray of float64, shape (N, L, D)
        NaN where a point is not there.
    """
    pairs = zip(coordinates, spacings, strict=True)
    return np.stack([np.asarray(c) * np.asarray(spacing) for c, spacing in pairs])
