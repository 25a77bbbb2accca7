"""What decoding parameters of instances are worth, in counts that cases add up to.

Letters: S spatial shape, F combinations of filters, T thresholds of IoU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import count_shared, ids_at_border, is_one_of
from autoseg.metrics.instances import HALF
from autoseg.metrics.instances import THRESHOLDS as ALL_THRESHOLDS
from autoseg.representations.base import Representation
from autoseg.spec.instances import ignored_in
from autoseg.tasks.instance.decoding import Meaning, decode

Array = NDArray[Any]

THRESHOLDS = tuple(t for t in ALL_THRESHOLDS if t <= 0.9)  # 0.50 to 0.90
LEAST = (0.5, 2.0, 4.0, 8.0, 16.0)  # smallest sizes that are tried, in default ones


def candidates(representation: Representation) -> dict[str, list[Any]]:
    """Return the values that are tried of each parameter, its own among them.

    Those that only drop instances come last. The smallest size is tried in multiples
    of its own, too: it was chosen for the objects of the data set.
    """
    filters = representation.filters
    names = sorted(representation.tunable, key=lambda name: name in filters)
    found = {}
    for name in names:
        own = getattr(representation, name)
        values = {own, *representation.tunable[name]}
        if name == "least":
            values |= {max(1, round(own * share)) for share in LEAST}
        found[name] = sorted(values)
    return found


def filters_of(task: Meaning, axes: int) -> dict[str, Any]:
    """Return the parameters that can be tried without decoding, and their values off.

    Slices of a volume are filtered before they are joined, so there are none.
    """
    return dict(task.representation.filters) if axes == task.network_axes else {}


def count_objects(
    task: Meaning,
    filters: Sequence[Mapping[str, Any]],
    outputs: Mapping[str, Array],
    spacing: tuple[float, ...],
    reference: Array,
    cut: bool,
) -> NDArray[np.int64]:
    """Decode a case and count what is right in it.

    Parameters
    ----------
    task : Meaning
        What the outputs stand for; with `filters_of` off.
    filters : sequence of mapping
        F values of the filters; one empty mapping if there is none.
    outputs : mapping of str to ndarray, shape (C, *S)
        Activated outputs of each head.
    spacing : tuple of float, length D
        Edge of a voxel.
    reference : ndarray of int, shape S
        Annotated ids of objects, and `IGNORED`.
    cut : bool
        See `count_case`.

    Returns
    -------
    ndarray of int64, shape (F, T + 2)
        See `count_case`.
    """
    found = decode(task, outputs, spacing)
    labels = found.labels
    if task.stuff:
        kinds = set(task.stuff.values())
        drop = [i for i, kind in found.classes.items() if kind in kinds]
        labels = np.where(np.isin(labels, drop), 0, labels)
    amounts: Mapping[str, Array] = {}
    if filters_of(task, labels.ndim):
        maps = {head.name: outputs[head.name] for head in task.representation.heads}
        amounts = task.representation.amounts(labels, maps, spacing)
    return count_case(labels, amounts, filters, reference, cut)


def count_case(
    labels: Array,
    amounts: Mapping[str, Array],
    filters: Sequence[Mapping[str, Any]],
    reference: Array,
    cut: bool,
) -> NDArray[np.int64]:
    """Count what is right in a decoded case, for each combination of filters.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Decoded ids of objects.
    amounts : mapping of str to ndarray
        See `Representation.amounts`.
    filters : sequence of mapping
        F values of the filters; one empty mapping if there is none.
    reference : ndarray of int, shape S
        Annotated ids of objects, and `IGNORED`.
    cut : bool
        The case is a part of an image: objects at its faces are left out.

    Returns
    -------
    ndarray of int64, shape (F, T + 2)
        Predicted instances with an IoU over each of `THRESHOLDS`; predicted; annotated.
    """
    table = count_shared(labels, reference, ignored_in(reference))
    if cut:
        table = table.without(
            is_one_of(table.predicted, ids_at_border(labels)),
            is_one_of(table.reference, ids_at_border(reference)),
        )
    ious = np.zeros(len(table.predicted))
    same = table.ious > HALF  # then it has no better partner
    ious[table.rows[same]] = table.ious[same]
    kept = np.ones((len(filters), len(ious)), np.int64)
    for row, values in zip(kept, filters, strict=True):
        for name, least in values.items():
            row &= amounts[name][table.predicted] >= least
    right = kept @ (ious[:, None] > np.array(THRESHOLDS)).astype(np.int64)
    annotated = np.full(len(filters), len(table.reference))
    return np.column_stack([right, kept.sum(1), annotated])


def mean_ap(sums: Array) -> NDArray[np.float64]:
    """Return AP, TP / (TP + FP + FN) over all objects, averaged over `THRESHOLDS`.

    Parameters
    ----------
    sums : ndarray of int, shape (..., T + 2)
        What `count_case` counts, summed over cases.

    Returns
    -------
    ndarray of float, shape (...)
        1 if there is nothing to find and nothing was found.
    """
    right = sums[..., :-2]
    either = sums[..., -2:].sum(-1)[..., None] - right
    ap = np.divide(right, either, out=np.ones(right.shape), where=either > 0)
    return np.asarray(ap.mean(-1))
