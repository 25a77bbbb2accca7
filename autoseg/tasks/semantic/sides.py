"""On which side of everything that is annotated a class lies, along each axis.

Where that is the same side in nearly every case, mirrored images are such as there will
never be, and a network that learns from them has to forget where things are. In short
trainings that costs accuracy (docs/benchmarks.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.windowed import pieces

EDGE = 64  # voxels, at most, that are looked at along an axis
APART = 0.1  # of the spread of everything annotated: so far away is a class on a side
NEARLY_ALL = 0.95  # of the cases in which a class is on a side have it on the same
MOST = 0.5  # of the cases have to have it on a side
CHANCE = 0.05  # at most, that any class and axis would be found so without a reason


def measure_sides(
    labels: Any, classes: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """Return on which side each class lies in one case.

    Parameters
    ----------
    labels : ndarray of int, shape S, or Windowed
        Inner annotation.
    classes : mapping of str to sequence of int
        Inner values of each class that it speaks of.

    Returns
    -------
    dict of str to list of int, length D
        For the classes that are there: -1 where the middle of a class is before that of
        all of them along an axis, 1 where it is behind, else 0. Empty if there is only
        one, of which nothing can be said.
    """
    values = sorted({value for members in classes.values() for value in members})
    if len(classes) < 2:
        return {}
    sums = _sums(labels, max(values) + 1)
    everything = sums[:, values].sum(1)
    own = {name: sums[:, list(members)].sum(1) for name, members in classes.items()}
    own = {name: found for name, found in own.items() if found[0, 0]}
    if len(own) < 2:
        return {}
    middle = everything[1] / everything[0]
    spread = np.sqrt(np.maximum(everything[2] / everything[0] - middle**2, 0.0))
    sides = {}
    for name, found in own.items():
        away = found[1] / found[0] - middle
        side = np.where(np.abs(away) > APART * spread, np.sign(away), 0.0)
        sides[name] = [int(value) for value in side]
    return sides


def _sums(labels: Any, count: int) -> NDArray[np.float64]:
    """Return how often values occur, and the sums of their places and of the squares.

    Returns
    -------
    ndarray of float64, shape (3, count, D)
        Of a grid that is thinned out where the array is large.
    """
    steps = [max(1, -(-size // EDGE)) for size in labels.shape]
    sums = np.zeros((3, count, labels.ndim))
    first = 0
    for part in pieces(labels):
        start = -first % steps[0]
        rows = slice(start, None, steps[0])
        thin = np.asarray(part[(rows, *(slice(None, None, s) for s in steps[1:]))])
        places = np.nonzero((thin > 0) & (thin < count))
        found = thin[places]
        for axis, (place, step) in enumerate(zip(places, steps, strict=True)):
            where = place * step + (first + start if axis == 0 else 0)
            for power in range(3):
                weights = where.astype(np.float64) ** power
                sums[power, :, axis] += np.bincount(found, weights, count)
        first += len(part)
    return sums


def turned_sides(
    found: Mapping[str, Sequence[int]], axes: Sequence[int], flips: Sequence[int]
) -> dict[str, list[int]]:
    """Return on which side classes lie when the axes of their map are turned.

    Parameters
    ----------
    found : mapping
        Of `measure_sides`.
    axes : sequence of int, length D
        For each axis afterwards, the one it was before.
    flips : sequence of int
        Axes afterwards that run backwards.

    Examples
    --------
    >>> turned_sides({"liver": [0, 1, -1]}, (0, 2, 1), (2,))
    {'liver': [0, -1, -1]}
    """
    return {
        name: [(-1 if n in flips else 1) * own[axis] for n, axis in enumerate(axes)]
        for name, own in found.items()
    }


def pool_sides(
    found: Sequence[Mapping[str, Sequence[int]]],
) -> dict[str, list[list[int]]]:
    """Return how many cases have a class where.

    Parameters
    ----------
    found : sequence of mapping
        Of `measure_sides`, one for each case.

    Returns
    -------
    dict of str to list of list of int, shape (D, 3)
        By class and axis: cases that have it before, at and behind the middle.
    """
    pooled: dict[str, list[list[int]]] = {}
    for sides in found:
        for name, own in sides.items():
            counts = pooled.setdefault(name, [[0, 0, 0] for _ in own])
            for axis, side in enumerate(own):
                counts[axis][1 + side] += 1
    return pooled


def sided_axes(counts: Mapping[str, Sequence[Sequence[int]]]) -> dict[int, str]:
    """Return the axes along which a class lies on one side in nearly every case.

    Parameters
    ----------
    counts : mapping
        Of `pool_sides`.

    Returns
    -------
    dict of int to str
        By axis of the image: the class that says it most clearly, and in how many
        cases, in words.

    Examples
    --------
    >>> sided_axes({"liver": [[40, 20, 40], [1, 9, 90]]})
    {1: 'liver lies on one side in 90 of 100 cases, on the other in 1'}
    """
    questions = sum(len(axes) for axes in counts.values())
    found: dict[int, tuple[float, str]] = {}
    for name, axes in counts.items():
        for axis, (before, at, behind) in enumerate(axes):
            cases, sided = before + at + behind, before + behind
            most, least = max(before, behind), min(before, behind)
            if sided < max(1, MOST * cases) or most < NEARLY_ALL * sided:
                continue
            chance = _chance(most, sided)
            if chance * questions > CHANCE:
                continue
            words = (
                f"{name} lies on one side in {most} of {cases} cases, on the other in "
                f"{least}"
            )
            if axis not in found or chance < found[axis][0]:
                found[axis] = chance, words
    return {axis: words for axis, (_, words) in sorted(found.items())}


def _chance(most: int, cases: int) -> float:
    """Return how likely at most it is that a coin shows one side so often.

    The tails of the binomial distribution, none of whose terms is larger than the
    first.
    """
    rest = cases - most
    log = math.lgamma(cases + 1) - math.lgamma(most + 1) - math.lgamma(rest + 1)
    return min(1.0, 2 * (rest + 1) * math.exp(log - cases * math.log(2)))
