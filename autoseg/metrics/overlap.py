"""How two label maps overlap: counts of voxels, for all labels in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError

CHUNK = 2**18  # voxels at a time: their codes stay in the cache


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Voxels that two masks share and do not share.

    Parameters
    ----------
    tp : int
        In both masks: true positive.
    fp : int
        In the predicted mask only: false positive.
    fn : int
        In the reference only: false negative.
    """

    tp: int
    fp: int
    fn: int

    @property
    def predicted(self) -> int:
        """Voxels of the predicted mask."""
        return self.tp + self.fp

    @property
    def reference(self) -> int:
        """Voxels of the reference."""
        return self.tp + self.fn

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN if both masks are empty."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN); NaN if both masks are empty."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN); NaN if the reference is empty."""
        return _ratio(self.tp, self.reference)

    @property
    def precision(self) -> float:
        """TP / (TP + FP); NaN if the predicted mask is empty."""
        return _ratio(self.tp, self.predicted)

    @property
    def volume_error(self) -> float:
        """(predicted - reference) / reference; infinite if only that is empty."""
        if self.reference == 0 and self.predicted:
            return math.inf
        return _ratio(self.predicted - self.reference, self.reference)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def overlap(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
) -> Overlap:
    """Count the voxels that two masks share and do not share.

    Parameters
    ----------
    predicted, reference : ndarray of bool, shape S
        The masks.
    counted : ndarray of bool, shape S, optional
        Only voxels where it is true are counted; by default all.

    Returns
    -------
    Overlap
        The counts.

    Examples
    --------
    >>> import numpy as np
    >>> found = overlap(np.array([True, True, False]), np.array([False, True, True]))
    >>> found, found.dice
    (Overlap(tp=1, fp=1, fn=1), 0.5)
    """
    if counted is not None:
        predicted, reference = predicted & counted, reference & counted
    tp = int(np.count_nonzero(predicted & reference))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(reference)) - tp
    return Overlap(tp=tp, fp=fp, fn=fn)


def confusion_matrix(
    predicted: NDArray[Any], reference: NDArray[Any], size: int
) -> NDArray[np.int64]:
    """Count every pair of labels in one pass over two label maps.

    One pass for all labels costs less than two masks for each label do, and needs
    memory for a few chunks only.

    Parameters
    ----------
    predicted, reference : ndarray of int, shape S
        Label maps with values in 0 .. size - 1; negative values count as 0.
    size : int
        Number of label values, K.

    Returns
    -------
    ndarray of int64, shape (K, K)
        Entry (i, j): voxels that are i in ``predicted`` and j in ``reference``.

    Raises
    ------
    UsageError
        If the shapes differ or a value is ``size`` or more.

    Examples
    --------
    >>> import numpy as np
    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]), size=2)
    array([[1, 0],
           [1, 1]])
    """
    check_same_shape(predicted, reference)
    kind = np.uint8 if size <= 16 else np.intp  # small codes are four times as fast
    left, right = np.ravel(predicted), np.ravel(reference)
    counts = np.zeros(size * size, dtype=np.int64)
    for start in range(0, left.size, CHUNK):
        row, column = (flat[start : start + CHUNK] for flat in (left, right))
        highest = max(row.max(), column.max())
        if highest >= size:
            raise UsageError(
                f"label {highest} among {size} label values; "
                f"the largest that may occur is {size - 1}."
            )
        if min(row.min(), column.min()) < 0:
            row, column = np.maximum(row, 0), np.maximum(column, 0)
        codes: NDArray[Any] = row.astype(kind)
        codes *= kind(size)
        codes += column.astype(kind)
        counts += np.bincount(codes, minlength=size * size)
    return counts.reshape(size, size)


def overlap_of(matrix: NDArray[np.int64], members: Sequence[int]) -> Overlap:
    """Return the overlap of a class, or a region of several labels.

    Parameters
    ----------
    matrix : ndarray of int64, shape (K, K)
        See `confusion_matrix`.
    members : sequence of int
        The labels that make up the class.

    Returns
    -------
    Overlap
        The counts.
    """
    chosen = np.asarray(sorted(members), dtype=np.intp)
    tp = int(matrix[np.ix_(chosen, chosen)].sum())
    fp = int(matrix[chosen].sum()) - tp
    fn = int(matrix[:, chosen].sum()) - tp
    return Overlap(tp=tp, fp=fp, fn=fn)


def check_same_shape(predicted: NDArray[Any], reference: NDArray[Any]) -> None:
    """Raise UsageError if two annotations differ in shape."""
    if predicted.shape != reference.shape:
        raise UsageError(
            f"the prediction's shape is {predicted.shape}, the annotation's "
            f"{reference.shape}; both must be on the same grid."
        )
