"""Which instances of two label maps share how many voxels: a sparse table.

A prediction of n objects overlaps with an annotation of m in about max(n, m) pairs, not
in n * m; everything that compares instances is computed from these pairs.

Letters: S spatial shape, P predicted instances, R annotated ones, N pairs that overlap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.overlap import check_same_shape

Array = NDArray[Any]

CHUNK = 2**20  # voxels that are sorted at a time
SAME = 0.5  # two instances with a larger IoU than this have no better partner


@dataclass(frozen=True, kw_only=True)
class Contingency:
    """Instances of a prediction and of an annotation, and what they share.

    Parameters
    ----------
    predicted, reference : ndarray of int64, shape (P,), (R,)
        Ids, ascending.
    predicted_sizes, reference_sizes : ndarray of int64, shape (P,), (R,)
        Voxels of each.
    rows, columns : ndarray of int64, shape (N,)
        Position in ``predicted`` and in ``reference`` of the instances of each pair.
    shared : ndarray of int64, shape (N,)
        Voxels that the two have in common, at least 1.
    disjoint : bool
        Instances of one side share no voxel with each other.
    """

    predicted: NDArray[np.int64]
    reference: NDArray[np.int64]
    predicted_sizes: NDArray[np.int64]
    reference_sizes: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    shared: NDArray[np.int64]
    disjoint: bool = True

    @property
    def unions(self) -> NDArray[np.int64]:
        """Voxels in either instance of each pair, shape (N,)."""
        sizes = self.predicted_sizes[self.rows] + self.reference_sizes[self.columns]
        return np.asarray(sizes - self.shared)

    @property
    def ious(self) -> NDArray[np.float64]:
        """Intersection over union of each pair, shape (N,)."""
        return np.asarray(self.shared / self.unions)

    def only(
        self, predicted: NDArray[np.bool_], reference: NDArray[np.bool_]
    ) -> Contingency:
        """Return the table of some of the instances.

        Parameters
        ----------
        predicted, reference : ndarray of bool, shape (P,), (R,)
            Which to keep.
        """
        kept = predicted[self.rows] & reference[self.columns]
        return Contingency(
            predicted=self.predicted[predicted],
            reference=self.reference[reference],
            predicted_sizes=self.predicted_sizes[predicted],
            reference_sizes=self.reference_sizes[reference],
            rows=(np.cumsum(predicted) - 1)[self.rows[kept]],
            columns=(np.cumsum(reference) - 1)[self.columns[kept]],
            shared=self.shared[kept],
            disjoint=self.disjoint,
        )

    def without(
        self, predicted: NDArray[np.bool_], reference: NDArray[np.bool_]
    ) -> Contingency:
        """Leave out instances that shall be neither right nor wrong.

        An annotated instance is left out if it is marked. A predicted one is left out
        if it stands for one that is left out (IoU over 0.5), or if it stands for none
        and is marked itself. So a marked prediction of an object that counts is right,
        and one of an object that does not count costs nothing.

        Parameters
        ----------
        predicted, reference : ndarray of bool, shape (P,), (R,)
            Marks.
        """
        same = self.ious > SAME
        leave = predicted.copy()
        leave[self.rows[same]] = reference[self.columns[same]]
        return self.only(~leave, ~reference)


def count_shared(
    predicted: Array, reference: Array, ignored: NDArray[np.bool_] | None = None
) -> Contingency:
    """Count the voxels of all instances and of all pairs that overlap, in one pass.

    Parameters
    ----------
    predicted, reference : ndarray of int, shape S
        Ids; 0 and below is background.
    ignored : ndarray of bool, shape S, optional
        Voxels that nobody annotated. They belong to no instance, and an instance with
        more than half of its voxels there is left out.

    Returns
    -------
    Contingency
        The table.

    Raises
    ------
    UsageError
        If the shapes differ.

    Examples
    --------
    >>> table = count_shared(np.array([7, 7, 7, 0]), np.array([0, 2, 2, 2]))
    >>> table.shared.tolist(), table.ious.tolist()
    ([2], [0.5])
    """
    check_same_shape(predicted, reference)
    left, right = np.ravel(predicted), np.ravel(reference)
    if ignored is None:
        table, hidden = _count(left, right), None
    else:
        check_same_shape(predicted, ignored)
        mask = np.ravel(ignored)
        table = _count(np.where(mask, 0, left), np.where(mask, 0, right))
        hidden = _count(np.where(mask, left, 0), np.where(mask, right, 0))
    if hidden is None:
        return table
    return table.only(
        table.predicted_sizes >= _of(table.predicted, hidden, "predicted"),
        table.reference_sizes >= _of(table.reference, hidden, "reference"),
    )


def ids_at_border(labels: Array) -> NDArray[np.int64]:
    """Return the ids of instances that touch an outer face of the array.

    An axis with one voxel has no faces: a plane is no volume that is cut off.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids; 0 and below is background.

    Returns
    -------
    ndarray of int64
        Ascending.
    """
    faces = [
        labels.take(end, axis=axis).ravel()
        for axis, size in enumerate(labels.shape)
        if size > 1
        for end in (0, size - 1)
    ]
    found = np.unique(np.concatenate(faces)) if faces else np.zeros(0)
    return found[found > 0].astype(np.int64)


def is_one_of(ids: Array, some: Collection[int] | Array) -> NDArray[np.bool_]:
    """Return for each id whether it is one of some."""
    return np.isin(ids, np.asarray(list(some), dtype=np.int64))


def _count(left: Array, right: Array) -> Contingency:
    """Count pairs of values of two flat arrays; below 1 is background."""
    base = int(right.max(initial=0)) + 1
    codes, counts = [], []
    for start in range(0, left.size, CHUNK):
        row = left[start : start + CHUNK].astype(np.int64)
        column = right[start : start + CHUNK].astype(np.int64)
        code = np.maximum(row, 0) * base + np.maximum(column, 0)
        found = np.unique(code[code > 0], return_counts=True)
        codes.append(found[0])
        counts.append(found[1])
    code, where = np.unique(
        np.concatenate([np.zeros(0, np.int64), *codes]), return_inverse=True
    )
    count = np.zeros(len(code), dtype=np.int64)
    np.add.at(count, where, np.concatenate([np.zeros(0, np.int64), *counts]))
    row, column = code // base, code % base
    predicted, rows = np.unique(row, return_inverse=True)
    reference, columns = np.unique(column, return_inverse=True)
    sizes = [np.zeros(len(predicted), np.int64), np.zeros(len(reference), np.int64)]
    np.add.at(sizes[0], rows, count)
    np.add.at(sizes[1], columns, count)
    both = (row > 0) & (column > 0)
    lead = [int(len(ids) > 0 and ids[0] == 0) for ids in (predicted, reference)]
    return Contingency(
        predicted=predicted[lead[0] :],
        reference=reference[lead[1] :],
        predicted_sizes=sizes[0][lead[0] :],
        reference_sizes=sizes[1][lead[1] :],
        rows=rows[both] - lead[0],
        columns=columns[both] - lead[1],
        shared=count[both],
    )


def _of(ids: NDArray[np.int64], other: Contingency, side: str) -> NDArray[np.int64]:
    """Return the sizes that another table gives for ids; 0 where it has none."""
    known, sizes = getattr(other, side), getattr(other, f"{side}_sizes")
    found = np.zeros(len(ids), dtype=np.int64)
    place = np.searchsorted(known, ids)
    there = place < len(known)
    there[there] = known[place[there]] == ids[there]
    found[there] = sizes[place[there]]
    return found
