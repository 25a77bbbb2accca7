"""Scores of instances, from the inner annotations of a case."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import Contingency, count_shared
from autoseg.metrics.instances import score_instances
from autoseg.metrics.masks import shared_masks
from autoseg.metrics.matching import match
from autoseg.metrics.object_scores import RIGHT
from autoseg.metrics.overlapping import score_overlapping
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.instances import Instances, as_instances


def score(
    predicted: Any,
    reference: Any,
    spacing: Sequence[float],
    classes: Mapping[str, int],
    *,
    border: bool = True,
    size_limits: Sequence[float] | None = None,
) -> dict[str, dict[str, float]]:
    """Score a prediction of one case; see `autoseg.metrics.instances.score_instances`.

    Parameters
    ----------
    predicted, reference : Instances, or ndarray of int of shape S
        Inner annotations. What nobody annotated in the reference counts in neither.
    spacing : sequence of float, length D
        Edge of a voxel.
    classes : mapping of str to int
        Number of each class by its name.
    border : bool
        Whether instances that touch an outer face of the image count.
    size_limits : sequence of two float, optional
        See `score_instances`.

    Returns
    -------
    dict of str to dict of str to float
        By class and metric; only of classes that the reference speaks of.
    """
    one, two = as_instances(predicted), as_instances(reference)
    of = one.class_of, two.class_of
    if one.masks or two.masks:
        scores = score_overlapping(
            whole_masks(one),
            whole_masks(two),
            (one.shape, two.shape),
            spacing,
            classes=classes,
            class_of=of,
            ignored=two.ignored,
            border=border,
            size_limits=size_limits,
            sure=one.scores,
        )
    else:
        scores = score_instances(
            one.labels,
            two.labels,
            spacing,
            classes=classes,
            predicted_class=of[0],
            reference_class=of[1],
            border=border,
            size_limits=size_limits,
            ignored=two.ignored,
        )
    if not two.unknown:
        return scores
    # Nobody knows what else there is: neither of those classes, nor of any class.
    known = {name for name, number in classes.items() if number not in two.unknown}
    return {name: found for name, found in scores.items() if name in known}


def whole_masks(instances: Instances) -> dict[int, Mask]:
    """Return the whole mask of each object."""
    from scipy.ndimage import find_objects

    labels, ids = instances.labels, instances.ids
    if not ids:
        return {}
    found = {}
    place = np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0)
    for i, box in zip(ids, find_objects(place, len(ids)), strict=True):
        if i in instances.masks or box is not None:
            found[i] = instances.mask_of(i, box)
    return found


def object_sizes(annotation: Any, spacing: Sequence[float]) -> NDArray[np.float64]:
    """Return the size of each instance, in the unit of the spacing to the D."""
    instances: Instances = as_instances(annotation)
    labels = instances.labels
    counts = np.unique(labels[labels > 0], return_counts=True)[1]
    if instances.masks:
        counts = np.array([mask.size for mask in whole_masks(instances).values()])
    return np.asarray(counts * math.prod(spacing), dtype=np.float64)


def judged(
    predicted: Instances, reference: Instances, scores: Mapping[int, float]
) -> NDArray[np.float64]:
    """Return of predicted objects score, best IoU, and whether each is right, (N, 3).

    Objects of the same class are compared, whole ones. One is right, 1, if it stands
    for an annotated object of its own, with an IoU over one half; else it is 0.

    Parameters
    ----------
    predicted, reference : Instances
        Inner annotations of a case. What nobody annotated counts in neither.
    scores : mapping of int to float
        Of predicted objects; those without one are left out.
    """
    if predicted.masks or reference.masks:
        sides = whole_masks(predicted), whole_masks(reference)
        table = shared_masks(*sides, reference.ignored)
    else:
        table = count_shared(predicted.labels, reference.labels, reference.ignored)
    of = predicted.class_of, reference.class_of
    ids = table.predicted.tolist(), table.reference.tolist()
    kinds = [
        np.array([f(i) for i in some], int) for f, some in zip(of, ids, strict=True)
    ]
    best, right = np.zeros(len(ids[0])), np.zeros(len(ids[0]))
    np.maximum.at(best, table.rows, _same(table, kinds) * table.ious)
    for kind in np.unique(kinds[0]):
        own = table.only(*(these == kind for these in kinds))
        hits = own.predicted[own.rows[match(own, RIGHT)]]
        right[np.isin(table.predicted, hits)] = 1.0
    known = np.array([i in scores for i in ids[0]], bool)
    unknown = np.isin(kinds[0], reference.unknown)
    said = np.array([scores.get(i, 0.0) for i in ids[0]])
    rows = np.stack([said, best, right], 1)
    found: NDArray[np.float64] = rows[known & ~unknown]
    return found


def _same(table: Contingency, kinds: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Return of which pairs both are of one class."""
    found: NDArray[np.bool_] = kinds[0][table.rows] == kinds[1][table.columns]
    return found
