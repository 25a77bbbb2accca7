"""Scores of a segmentation, one class at a time. Definitions: docs/metrics.md."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics._surface_codes import Slab
from autoseg.metrics.overlap import (
    Overlap,
    check_same_shape,
    confusion_matrix,
    overlap,
    overlap_of,
)
from autoseg.metrics.surface import (
    SurfaceDistances,
    assd,
    distances_by_rows,
    hd95,
    nsd,
    surface_distances,
)
from autoseg.spec.arrays.windowed import windowed

Box = tuple[slice, ...]
ROWS = 2**24  # voxels that are looked at at once


def score_masks(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, ...],
    counted: NDArray[np.bool_] | None = None,
    tolerance: float | None = None,
) -> dict[str, float]:
    """Score the mask of one class of one case.

    Parameters
    ----------
    predicted, reference : ndarray of bool, shape S
        The masks.
    spacing : tuple of float, length D
        Edge of a voxel along each axis; its unit is that of all lengths.
    counted : ndarray of bool, shape S, optional
        Voxels where it is false do not count; by default all do.
    tolerance : float, optional
        Of the NSD, in the unit of the spacing; by default the smallest edge of a voxel.

    Returns
    -------
    dict of str to float
        ``dice``, ``iou``, ``sensitivity``, ``precision`` in [0, 1];
        ``volume_error``, the signed difference as a fraction of the reference;
        ``volume_difference``, the same in the unit of the spacing to the D;
        ``hd95``, ``assd`` in the unit of the spacing; ``nsd`` in [0, 1] and its
        ``tolerance``; ``tp``, ``fp``, ``fn`` in voxels. NaN: not defined, because what
        it is divided by is empty. Infinite: one mask is empty and the other is not.

    Raises
    ------
    UsageError
        If the shapes differ, or there are not two or three axes with a spacing each.

    Examples
    --------
    >>> import numpy as np
    >>> predicted, reference = np.zeros((2, 8, 8), dtype=bool)
    >>> predicted[2:5, 2:5] = reference[2:5, 2:6] = True
    >>> scores = score_masks(predicted, reference, (1.0, 1.0))
    >>> round(scores["dice"], 3), scores["hd95"], scores["volume_error"]
    (0.857, 1.0, -0.25)
    """
    check_same_shape(predicted, reference)
    found = overlap(predicted, reference, counted)
    distances = surface_distances(predicted, reference, spacing, counted)
    return _scores(found, distances, spacing, tolerance)


def score_labels(
    predicted: Any,
    reference: Any,
    spacing: tuple[float, ...],
    classes: Mapping[str, Sequence[int]],
    ignore: int | None = None,
    tolerance: float | None = None,
) -> dict[str, dict[str, float]]:
    """Score all classes of a label map, with few passes over the whole of it.

    The same numbers as those of `score_masks` for each class.

    Parameters
    ----------
    predicted, reference : ndarray of int or Windowed, shape S
        Label maps; what is in a file is read part by part, a few times for each class.
    spacing : tuple of float, length D
        Edge of a voxel along each axis.
    classes : mapping of str to sequence of int
        Labels above 0 that make up each class; classes may overlap.
    ignore : int, optional
        Label of the reference whose voxels do not count.
    tolerance : float, optional
        Of the NSD; see `score_masks`.

    Returns
    -------
    dict of str to dict of str to float
        Scores by class; see `score_masks`.

    Raises
    ------
    UsageError
        As `score_masks`.
    """
    check_same_shape(predicted, reference)
    named = {label for members in classes.values() for label in members}
    highest = max(
        *named, ignore or 0, predicted.max(initial=0), reference.max(initial=0)
    )
    size = int(highest) + 1
    matrix = np.zeros((size, size), np.int64)
    boxes: list[dict[int, Box]] = [{}, {}]
    for rows, found, true in _side_by_side(predicted, reference):
        matrix += confusion_matrix(found, true, size)
        for known, labels in zip(boxes, (found, true), strict=True):
            _add_boxes(known, labels, rows.start)
    if ignore is not None:
        matrix[:, ignore] = 0
    scores = {}
    for name, members in classes.items():
        there = [side[label] for side in boxes for label in members if label in side]
        box = _union(there) or (slice(0, 0),) * predicted.ndim
        slabs = _masks(predicted[box], reference[box], members, ignore)
        shape = tuple(part.stop - part.start for part in box)
        distances = distances_by_rows(slabs, shape, spacing)
        scores[name] = _scores(
            overlap_of(matrix, members), distances, spacing, tolerance
        )
    return scores


def _side_by_side(
    predicted: Any, reference: Any
) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any]]]:
    """Yield some rows of two label maps after the other; once nothing, if they are."""
    if not predicted.size:
        yield slice(0, 0), np.asarray(predicted), np.asarray(reference)
        return
    pairs = (windowed(labels).rows(ROWS) for labels in (predicted, reference))
    for (rows, one), (_, other) in zip(*pairs, strict=True):
        yield rows, one, other


def _masks(
    predicted: Any, reference: Any, members: Sequence[int], ignore: int | None
) -> Iterator[Slab]:
    """Yield where some rows of two label maps are of a class, and where they count."""
    for _, one, other in _side_by_side(predicted, reference):
        counted = None if ignore is None else other != ignore
        yield _mask(one, members), _mask(other, members), counted


def _scores(
    found: Overlap,
    distances: SurfaceDistances,
    spacing: tuple[float, ...],
    tolerance: float | None,
) -> dict[str, float]:
    tolerance = min(spacing) if tolerance is None else tolerance
    return {
        "dice": found.dice,
        "iou": found.iou,
        "sensitivity": found.sensitivity,
        "precision": found.precision,
        "volume_error": found.volume_error,
        "volume_difference": (found.predicted - found.reference) * math.prod(spacing),
        "hd95": hd95(distances),
        "assd": assd(distances),
        "nsd": nsd(distances, tolerance),
        "tolerance": float(tolerance),
        "tp": found.tp,
        "fp": found.fp,
        "fn": found.fn,
    }


def _mask(labels: NDArray[Any], members: Sequence[int]) -> NDArray[np.bool_]:
    mask = labels == members[0]
    for member in members[1:]:
        mask |= labels == member
    return np.asarray(mask)


def _add_boxes(found: dict[int, Box], labels: NDArray[Any], start: int) -> None:
    """Widen the box of each label above 0 by where it is in rows from ``start`` on."""
    from scipy.ndimage import find_objects

    if labels.dtype.kind not in "iu" or labels.dtype.itemsize > 4:
        labels = labels.astype(np.int32)
    for label, box in enumerate(find_objects(labels), start=1):
        if box is not None:
            first = slice(box[0].start + start, box[0].stop + start)
            before = [found[label]] if label in found else []
            found[label] = _union([*before, (first, *box[1:])])


def _union(boxes: Sequence[Box]) -> Box:
    """Return the box around several boxes; nothing around none."""
    return tuple(
        slice(min(edge.start for edge in edges), max(edge.stop for edge in edges))
        for edges in zip(*boxes, strict=True)
    )
