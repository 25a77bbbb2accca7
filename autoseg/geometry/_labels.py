"""Linear resampling of label maps, at a cost that does not grow with their labels.

A voxel of the new grid lies between 2 ** D voxels of the old one. Where these agree the
answer is known; only the others, near borders, are worked out: the weights of equal
labels are added up and the heaviest label wins. Weights and sums are those of the
library's linear interpolation, in float64 and in its order, so that even ties come out
as they do there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry import _library
from autoseg.geometry.mapped import is_mapped, let_go, zeros

Array = NDArray[Any]

SLAB = 2**23  # voxels, before or after, that are resampled at once of a map in a file
AT_ONCE = 2**15  # voxels worked out together: their scores stay in the cache


@dataclass(frozen=True)
class Rule:
    """How labels of nearly equal weight are told apart.

    Parameters
    ----------
    nearest : callable
        From both sizes of a thick axis to the nearest old voxel of each new one.
    ties_to_nearest : bool
        Of equal weights the nearest voxel's label wins if it has one of them; else,
        and without this, the smallest label.
    scale : int or None
        Weights are compared as float16 of this many times them; None: as they are.
    """

    nearest: Callable[[int, int], NDArray[np.intp]]
    ties_to_nearest: bool
    scale: int | None = None

    def score(self, mine: NDArray[np.bool_], weights: NDArray[np.float64]) -> Array:
        """Return the weight (N,) of the corners (2 ** D, N) that are a label's."""
        total = np.zeros(weights.shape[1])
        for counts, weight in zip(mine, weights, strict=True):
            total += counts * weight
        return total if self.scale is None else (total * self.scale).astype(np.float16)


@dataclass(frozen=True)
class _Axis:
    """Between which two old voxels each new one lies, with which weights.

    ``above`` is None along an axis on which only the nearest voxel counts.
    """

    nearest: NDArray[np.intp]
    below: NDArray[np.intp]
    above: NDArray[np.intp] | None
    weights: tuple[NDArray[np.float64], ...]

    def rows(self, part: slice) -> tuple[int, int, _Axis]:
        """Return the first old voxel of some new ones, one beyond, and their axis."""
        nearest, below = self.nearest[part], self.below[part]
        above = below if self.above is None else self.above[part]
        low = int(min(nearest.min(), below.min()))
        high = int(max(nearest.max(), above.max())) + 1
        rest = None if self.above is None else above - low
        weights = tuple(weight[part] for weight in self.weights)
        return low, high, _Axis(nearest - low, below - low, rest, weights)


def resample(
    labels: Array, new_shape: tuple[int, ...], thick: int | None, rule: Rule
) -> Array:
    """Resample a label map: the label whose linear indicator is largest wins.

    Parameters
    ----------
    labels : ndarray of int, shape S
        The label map.
    new_shape : tuple of int, length D
        Shape of the result.
    thick : int or None
        Axis along which the nearest slice is taken.
    rule : Rule
        Whose rounding and whose ties.

    Returns
    -------
    ndarray, shape new_shape
        Of the dtype of ``labels``.
    """
    axes = [
        _nearest_axis(rule.nearest(size, new_size))
        if axis == thick
        else _linear_axis(size, new_size)
        for axis, (size, new_size) in enumerate(
            zip(labels.shape, new_shape, strict=True)
        )
    ]
    if not is_mapped(labels):
        return _resampled(labels, axes, rule)
    result = zeros(new_shape, labels.dtype)
    step = max(1, SLAB * new_shape[0] // max(1, labels.size, math.prod(new_shape)))
    for start in range(0, new_shape[0], step):
        part = slice(start, start + step)
        low, high, first = axes[0].rows(part)
        rows = np.asarray(labels[low:high])
        result[part] = _resampled(rows, [first, *axes[1:]], rule)
        let_go(labels)
        let_go(result)
    return result


def _resampled(labels: Array, axes: Sequence[_Axis], rule: Rule) -> Array:
    """Resample a label map that is in memory."""
    new_shape = tuple(len(axis.nearest) for axis in axes)
    result: Array = labels[np.ix_(*(axis.nearest for axis in axes))]
    mixed = _mixed(labels, axes)[np.ix_(*(axis.below for axis in axes))]
    places = np.flatnonzero(mixed)
    flat = result.reshape(-1)
    for start in range(0, len(places), AT_ONCE):
        chosen = places[start : start + AT_ONCE]
        corners, weights = _corners(labels, axes, np.unravel_index(chosen, new_shape))
        flat[chosen] = _heaviest(corners, weights, flat[chosen], rule)
    return result


def _nearest_axis(index: NDArray[np.intp]) -> _Axis:
    return _Axis(index, index, None, (np.ones(len(index)),))


def _linear_axis(size: int, new_size: int) -> _Axis:
    center = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    center = np.clip(center, 0, size - 1)
    below = np.floor(center)
    share = center - below
    index = below.astype(np.intp)
    above = np.minimum(index + 1, size - 1)
    nearest = _library.nearest_index(size, new_size)
    return _Axis(nearest, index, above, (1.0 - share, share))


def _mixed(labels: Array, axes: Sequence[_Axis]) -> NDArray[np.bool_]:
    """Return for each old voxel whether it and those above it differ in label."""
    low = high = labels
    for axis, where in enumerate(axes):
        if where.above is None or labels.shape[axis] == 1:
            continue
        low, high = (
            _with_next(low, axis, np.minimum),
            _with_next(high, axis, np.maximum),
        )
    mixed: NDArray[np.bool_] = low != high
    return mixed


def _with_next(values: Array, axis: int, function: np.ufunc) -> Array:
    """Combine each voxel with the next along an axis; the last stays alone."""
    values = np.moveaxis(values, axis, 0)
    combined = values.copy()
    function(values[:-1], values[1:], out=combined[:-1])
    return np.moveaxis(combined, 0, axis)


def _corners(
    labels: Array, axes: Sequence[_Axis], at: Sequence[NDArray[np.intp]]
) -> tuple[Array, NDArray[np.float64]]:
    """Return labels and weights, (2 ** D, N), of the old voxels around N new ones."""
    sides = [
        [(axis.below[i], axis.weights[0][i])]
        + ([] if axis.above is None else [(axis.above[i], axis.weights[1][i])])
        for axis, i in zip(axes, at, strict=True)
    ]
    corners, weights = [], []
    for corner in product(*sides):  # the last axis fastest, as the library adds
        corners.append(labels[tuple(index for index, _ in corner)])
        weight = corner[0][1]
        for _, share in corner[1:]:
            weight = weight * share
        weights.append(weight)
    return np.stack(corners), np.stack(weights)


def _heaviest(
    corners: Array, weights: NDArray[np.float64], nearest: Array, rule: Rule
) -> Array:
    """Return for each of N places the label of most weight."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    is_low, is_high = corners == low, corners == high
    score_low = rule.score(is_low, weights)
    score_high = rule.score(is_high, weights)
    tie = nearest if rule.ties_to_nearest else low
    winner = np.where(score_high > score_low, high, low)
    winner = np.where(score_high == score_low, tie, winner)
    several = np.flatnonzero(~(is_low | is_high).all(axis=0))
    if len(several):
        winner[several] = _heaviest_of_many(
            corners[:, several], weights[:, several], nearest[several], rule
        )
    return winner


def _heaviest_of_many(
    corners: Array, weights: NDArray[np.float64], nearest: Array, rule: Rule
) -> Array:
    """As `_heaviest`, for any number of labels."""
    best = rule.score(corners == corners[0], weights)
    winner = corners[0].copy()
    nearest_wins = corners[0] == nearest
    for label in corners[1:]:
        score = rule.score(corners == label, weights)
        level, ahead = score == best, score > best
        winner = np.where(ahead | (level & (label < winner)), label, winner)
        is_nearest = label == nearest
        nearest_wins = np.where(ahead, is_nearest, nearest_wins | (level & is_nearest))
        best = np.maximum(best, score)
    if rule.ties_to_nearest:
        winner = np.where(nearest_wins, nearest, winner)
    result: Array = winner
    return result
