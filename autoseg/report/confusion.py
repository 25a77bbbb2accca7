"""What was taken for what: classes that were drawn beside classes that were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import count_shared
from autoseg.metrics.matching import match
from autoseg.spec.arrays.windowed import windowed

Array = NDArray[Any]
Json = dict[str, Any]

MOST_CASES = 60  # that are looked at
NOTHING = "nothing"


def confused_voxels(
    truth: Any, said: Any, members: Mapping[str, Sequence[int]]
) -> NDArray[np.int64]:
    """Count voxels by the class that they have and the one that was found.

    Parameters
    ----------
    truth, said : ndarray of int or Windowed, shape S
        Inner labels; voxels of a value that no class has and that is not 0 (ignored)
        do not count.
    members : mapping of str to sequence of int
        Values of each of K classes, which share none.

    Returns
    -------
    ndarray, shape (K + 1, K + 1)
        Rows: what was drawn; columns: what was found; background comes last.
    """
    last = len(members)
    known = [value for values in members.values() for value in values]
    largest = max(int(truth.max(initial=0)), int(said.max(initial=0)), *known)
    table = np.full(largest + 1, -1)
    table[0] = last
    for number, values in enumerate(members.values()):
        table[list(values)] = number
    counts = np.zeros((last + 1) ** 2, np.int64)
    parts = (windowed(labels).rows() for labels in (truth, said))
    for (_, drawn), (_, found) in zip(*parts, strict=True):
        rows, columns = table[np.maximum(drawn, 0)], table[np.maximum(found, 0)]
        counted = (rows >= 0) & (columns >= 0)
        pairs = rows[counted] * (last + 1) + columns[counted]
        counts += np.bincount(pairs.ravel(), minlength=len(counts))
    return counts.reshape(last + 1, last + 1)


def confused_objects(
    truth: Any, said: Any, numbers: Sequence[int], over: float
) -> NDArray[np.int64]:
    """Count objects by the class that they have and the one that was found.

    Parameters
    ----------
    truth, said : Instances
        Of one image.
    numbers : sequence of int
        The K classes.
    over : float
        IoU from which on two objects are the same.

    Returns
    -------
    ndarray, shape (K + 1, K + 1)
        As `confused_voxels`; what stands for no other object is in the last row or
        column.
    """
    place = {number: n for n, number in enumerate(numbers)}
    last = len(place)
    shared = count_shared(said.labels, truth.labels, truth.ignored)
    pairs = match(shared, over)
    drawn = [place[truth.class_of(int(i))] for i in shared.reference]
    found = [place[said.class_of(int(i))] for i in shared.predicted]
    counts = np.zeros((last + 1, last + 1), np.int64)
    missed, made_up = set(range(len(drawn))), set(range(len(found)))
    for row, column in zip(shared.rows[pairs], shared.columns[pairs], strict=True):
        counts[drawn[column], found[row]] += 1
        missed.discard(int(column))
        made_up.discard(int(row))
    for column in missed:
        counts[drawn[column], last] += 1
    for row in made_up:
        counts[last, found[row]] += 1
    return counts


def described(
    tables: Sequence[Array], names: Sequence[str], rest: str, thing: str
) -> Json | None:
    """Return the tables of all cases together, as a page shows them.

    Parameters
    ----------
    tables : sequence of ndarray, shape (K + 1, K + 1)
        Of each case.
    names : sequence of str, length K
        Classes.
    rest : str
        What the last row and column are called.
    thing : str
        What was counted.

    Returns
    -------
    dict of str to JSON value, or None
        None without a case. ``shares`` are those of each row.
    """
    if not tables:
        return None
    counts = np.sum(tables, axis=0)
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.where(sums > 0, counts / np.maximum(sums, 1), np.nan)
    return {
        "names": [*names, rest],
        "things": thing,
        "cases": len(tables),
        "counts": counts.tolist(),
        "shares": shares.tolist(),
    }
