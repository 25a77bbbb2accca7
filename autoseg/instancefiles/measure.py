"""What is known of each instance of a map, from a few passes over it.

Letters: S spatial shape, D its length, C channels, M instances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.mapped import in_rows, let_go
from autoseg.spec.instances import Instances

Array = NDArray[Any]

PIECE = 2**22  # voxels that are looked at at a time


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All instances of a map, in the order of their ids.

    Parameters
    ----------
    ids : ndarray of int64, shape (M,)
        Ids.
    classes : ndarray of int64, shape (M,)
        Number of the class of each.
    scores : ndarray of float64, shape (M,)
        How sure the model is, 0 to 1; NaN where it does not say.
    sizes : ndarray of float64, shape (M,)
        In the unit of the spacing to the D.
    first, last : ndarray of int64, shape (M, D)
        Bounding box in voxels: the first inside along each axis, and the first beyond.
    centroids : ndarray of float64, shape (M, D)
        In voxels; a whole number is the middle of a voxel.
    means : ndarray of float64, shape (M, C)
        Mean of each channel inside; no columns without an image.
    at_border : ndarray of bool, shape (M,)
        Whether it touches an outer face of the image, and so may be cut off.
    """

    ids: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    sizes: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    centroids: NDArray[np.float64]
    means: NDArray[np.float64]
    at_border: NDArray[np.bool_]

    def box(self, number: int) -> tuple[slice, ...]:
        """Return the bounding box of the instance at a position as an index."""
        ends = zip(self.first[number], self.last[number], strict=True)
        return tuple(slice(int(a), int(b)) for a, b in ends)


def measure(
    instances: Instances, spacing: Sequence[float], image: Array | None = None
) -> Measured:
    """Measure all instances of a map.

    Parameters
    ----------
    instances : Instances
        The map, with classes and scores. Its ids should not be much larger than there
        are instances: memory for each number up to the largest is taken.
    spacing : sequence of float, length D
        Edge of a voxel.
    image : ndarray, shape (C, *S), optional
        For mean intensities.

    Returns
    -------
    Measured
        A row for each.

    Examples
    --------
    >>> found = measure(Instances(np.array([[3, 3, 0], [3, 0, 0]], np.int32)), (1, 2))
    >>> found.sizes.tolist(), found.centroids.round(2).tolist()
    ([6.0], [[0.33, 0.33]])
    """
    labels = instances.labels
    largest = (int(piece.max(initial=0)) for _, piece in in_rows(labels, PIECE))
    dim = labels.ndim
    length = max(max(largest, default=0), max(instances.masks, default=0)) + 1
    channels = 0 if image is None else len(image)
    counts = np.zeros(length, dtype=np.int64)
    places = np.zeros((dim, length))
    sums = np.zeros((channels, length))
    first = np.full((dim, length), np.iinfo(np.int64).max)
    last = np.zeros((dim, length), dtype=np.int64)
    for rows, piece in in_rows(labels, PIECE):
        where = np.nonzero(piece > 0)
        ids = piece[where]
        counts += np.bincount(ids, minlength=length)
        for axis, position in enumerate(where):
            at = position + rows.start if axis == 0 else position
            places[axis] += np.bincount(ids, weights=at, minlength=length)
            np.minimum.at(first[axis], ids, at)
            np.maximum.at(last[axis], ids, at + 1)
        for channel in range(channels):
            values = np.asarray(image)[channel, rows][where]
            sums[channel] += np.bincount(ids, weights=values, minlength=length)
        if image is not None:
            let_go(image)
    for i, mask in instances.masks.items():  # whole, also where others are on top
        counts[i], at = mask.size, mask.places
        places[:, i] = [axis.sum() for axis in at]
        first[:, i] = mask.start
        last[:, i] = [part.stop for part in mask.box]
        for channel in range(channels):
            sums[channel, i] = np.asarray(image)[(channel, *at)].sum()
    there = np.flatnonzero(counts)
    known = counts[there]
    return Measured(
        ids=there,
        classes=np.array([instances.class_of(int(i)) for i in there], dtype=np.int64),
        scores=np.array([instances.scores.get(int(i), math.nan) for i in there]),
        sizes=known.astype(np.float64) * math.prod(spacing),
        first=first[:, there].T,
        last=last[:, there].T,
        centroids=(places[:, there] / known).T,
        means=(sums[:, there] / known).T,
        at_border=_at_border(first[:, there].T, last[:, there].T, labels.shape),
    )


def _at_border(first: Array, last: Array, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which boxes touch a face; an axis with one voxel has none."""
    sizes = np.array(shape)
    touching: NDArray[np.bool_] = ((first == 0) | (last == sizes)) & (sizes > 1)
    return np.asarray(touching.any(axis=1))
