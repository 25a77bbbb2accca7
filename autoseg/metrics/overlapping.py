"""Scores of objects that may overlap, from their whole masks.

What `instances.py` scores, from the table that `masks.py` makes; and what only is of
objects that overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.metrics.coco import average_precision
from autoseg.metrics.contingency import Contingency, is_one_of
from autoseg.metrics.instances import ANY_CLASS, HALF, score_by_class
from autoseg.metrics.masks import (
    covered_dice,
    masks_at_border,
    overlapping_ids,
    shared_masks,
)
from autoseg.metrics.matching import match
from autoseg.spec.arrays.overlaps import Mask

Masks = Mapping[int, Mask]
NO_SCORES: Mapping[int, float] = MappingProxyType({})


def score_overlapping(
    predicted: Masks,
    reference: Masks,
    shapes: tuple[Sequence[int], Sequence[int]],
    spacing: Sequence[float],
    *,
    classes: Mapping[str, int],
    class_of: Sequence[Callable[[int], int]],
    ignored: NDArray[np.bool_] | None = None,
    border: bool = True,
    size_limits: Sequence[float] | None = None,
    sure: Mapping[int, float] = NO_SCORES,
) -> dict[str, dict[str, float]]:
    """Score the objects of one case, class by class.

    Parameters
    ----------
    predicted, reference : mapping of int to Mask
        All objects, whole.
    shapes : pair of sequence of int
        Of the image, as either side has it.
    spacing : sequence of float, length D
        Edge of a voxel along each axis.
    classes : mapping of str to int
        Number of each class by its name.
    class_of : pair of callable
        From an id to the number of its class, of predicted and of annotated ones.
    ignored, border, size_limits
        See `autoseg.metrics.instances.score_instances`.
    sure : mapping of int to float, optional
        The score of each predicted object.

    Returns
    -------
    dict of str to dict of str to float
        As `score_instances` gives them, ``dice`` being of the voxels in any object. Of
        those that share more than `LEAST_SHARED` of their voxels with others,
        ``ap_50_overlapping``, and the counts that it is made of. With scores,
        ``coco_ap`` and ``coco_ap_50``, of this case alone.

    Raises
    ------
    UsageError
        If the shapes differ or the limits are not two ascending numbers.
    """
    if tuple(shapes[0]) != tuple(shapes[1]):
        raise UsageError(
            f"the prediction has shape {tuple(shapes[0])} and the annotation "
            f"{tuple(shapes[1])}; they must be on one grid."
        )
    table = shared_masks(predicted, reference, ignored)
    sides = predicted, reference
    if not border:
        at_edge = [masks_at_border(masks, shapes[0]) for masks in sides]
        table = table.without(
            is_one_of(table.predicted, at_edge[0]),
            is_one_of(table.reference, at_edge[1]),
        )
    scores = score_by_class(table, spacing, classes, class_of, size_limits)
    crossed = [overlapping_ids(masks) for masks in sides]
    for name, found in scores.items():
        own = table
        if name != ANY_CLASS and len(classes) > 1:
            own = _of_class(table, classes[name], class_of)
        found["dice"] = covered_dice(
            [predicted[int(i)] for i in own.predicted],
            [reference[int(i)] for i in own.reference],
        )
        found |= _of_crossed(own, crossed)
        if sure:
            found |= average_precision([own], [sure])
    return scores


def _of_class(
    table: Contingency, number: int, class_of: Sequence[Callable[[int], int]]
) -> Contingency:
    sides = zip((table.predicted, table.reference), class_of, strict=True)
    keep = [np.array([of(int(i)) == number for i in ids], bool) for ids, of in sides]
    return table.only(*keep)


def _of_crossed(
    table: Contingency, crossed: Sequence[Sequence[int]]
) -> dict[str, float]:
    """Return AP at 0.5 of objects that overlap; the others are neither right nor wrong.

    Parameters
    ----------
    table : Contingency
        Of all objects.
    crossed : pair of sequence of int
        Predicted and annotated ids of those that overlap.
    """
    some = table.without(
        ~is_one_of(table.predicted, crossed[0]), ~is_one_of(table.reference, crossed[1])
    )
    hits, found, wanted = (
        len(match(some, HALF)),
        len(some.predicted),
        len(some.reference),
    )
    either = found + wanted - hits
    return {
        "ap_50_overlapping": hits / either if either else math.nan,
        "tp_50_overlapping": float(hits),
        "predicted_overlapping": float(found),
        "reference_overlapping": float(wanted),
    }
