"""Scores of instances, one class at a time. Definitions: docs/metrics.md.

A predicted and an annotated instance are the same object at a threshold t if their IoU
is over t. Everything comes from the table of overlaps (`contingency.py`) and from the
pairs that are made of it (`matching.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.metrics.contingency import (
    Array,
    Contingency,
    count_shared,
    ids_at_border,
    is_one_of,
)
from autoseg.metrics.matching import match

ONE_CLASS = {"instance": 1}
ANY_CLASS = "any class"  # beside several classes: the same without asking for the class
THRESHOLDS = tuple(i / 20 for i in range(10, 20))  # 0.50, 0.55, ... 0.95
SIZES = ("small", "medium", "large")
HALF = 0.5


def score_instances(
    predicted: Array,
    reference: Array,
    spacing: Sequence[float],
    *,
    classes: Mapping[str, int] | None = None,
    predicted_class: Callable[[int], int] = lambda instance: 1,
    reference_class: Callable[[int], int] = lambda instance: 1,
    ignored: NDArray[np.bool_] | None = None,
    border: bool = True,
    size_limits: Sequence[float] | None = None,
) -> dict[str, dict[str, float]]:
    """Score the instances of one case, class by class.

    Parameters
    ----------
    predicted, reference : ndarray of int, shape S
        Ids; 0 and below is background.
    spacing : sequence of float, length D
        Edge of a voxel along each axis.
    classes : mapping of str to int, optional
        Number of each class by its name; by default one class, ``"instance"``.
    predicted_class, reference_class : callable
        Gives the number of the class of an id; by default 1.
    ignored : ndarray of bool, shape S, optional
        Voxels that nobody annotated; see `count_shared`.
    border : bool
        Whether instances that touch an outer face of the image count. If not, they are
        left out; see `Contingency.without`.
    size_limits : sequence of two float, optional
        Sizes, in the unit of the spacing to the D, up to which an object is small, and
        over which it is large. Gives scores by size.

    Returns
    -------
    dict of str to dict of str to float
        Scores by class, see `score_table`; with several classes also of
        `ANY_CLASS`, where the class need not be right; and the limits, as
        ``small_up_to`` and ``large_over``. A class that is neither in the
        prediction nor in the annotation is perfect if it is the only one (an empty
        image was found to be empty), and not defined (NaN) among several.

    Raises
    ------
    UsageError
        If the shapes differ or the limits are not two ascending numbers.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.array([[1, 1, 1, 1, 0, 2, 2, 2]])
    >>> predicted = np.array([[5, 5, 5, 0, 0, 0, 0, 6]])
    >>> scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]
    >>> scores["ap_50"], scores["ap_80"], scores["sq"], scores["pq"]
    (0.3333333333333333, 0.0, 0.75, 0.375)
    """
    table = count_shared(predicted, reference, ignored)
    if not border:
        table = table.without(
            is_one_of(table.predicted, ids_at_border(predicted)),
            is_one_of(table.reference, ids_at_border(reference)),
        )
    of = predicted_class, reference_class
    return score_by_class(table, spacing, classes or ONE_CLASS, of, size_limits)


def score_by_class(
    table: Contingency,
    spacing: Sequence[float],
    classes: Mapping[str, int],
    class_of: Sequence[Callable[[int], int]],
    size_limits: Sequence[float] | None = None,
) -> dict[str, dict[str, float]]:
    """Score instances by the table of their overlaps, class by class.

    Parameters
    ----------
    table : Contingency
        Of all instances that count.
    spacing : sequence of float, length D
        Edge of a voxel along each axis.
    classes : mapping of str to int
        Number of each class by its name.
    class_of : pair of callable
        From an id to the number of its class, of predicted and of annotated ones.
    size_limits : sequence of two float, optional
        See `score_instances`.

    Returns
    -------
    dict of str to dict of str to float
        As `score_instances` says.

    Raises
    ------
    UsageError
        If the limits are not two ascending numbers.
    """
    if size_limits is not None and not _ascending(size_limits):
        raise UsageError(
            f"the limits of sizes are {tuple(size_limits)}; give two ascending numbers."
        )
    voxel = math.prod(spacing)
    limits = None if size_limits is None else [limit / voxel for limit in size_limits]
    scores = _by_class(table, classes, class_of, limits)
    if size_limits is not None:
        used = {"small_up_to": size_limits[0], "large_over": size_limits[1]}
        scores = {name: {**found, **used} for name, found in scores.items()}
    return scores


def _by_class(
    table: Contingency,
    classes: Mapping[str, int],
    class_of: Sequence[Callable[[int], int]],
    limits: Sequence[float] | None,
) -> dict[str, dict[str, float]]:
    whole = score_table(table, limits, empty=1.0)
    if len(classes) == 1:
        return {name: whole for name in classes}
    predicted, reference = (
        np.array([of(int(i)) for i in ids], dtype=np.int64)
        for of, ids in zip(class_of, (table.predicted, table.reference), strict=True)
    )
    scores = {
        name: score_table(table.only(predicted == k, reference == k), limits)
        for name, k in classes.items()
    }
    return {**scores, ANY_CLASS: whole}


def score_table(
    table: Contingency,
    size_limits: Sequence[float] | None = None,
    empty: float = math.nan,
) -> dict[str, float]:
    """Score instances by the table of their overlaps.

    Parameters
    ----------
    table : Contingency
        The instances.
    size_limits : sequence of two float, optional
        In voxels; see `score_instances`.
    empty : float
        What a ratio is if there is neither a predicted nor an annotated instance.

    Returns
    -------
    dict of str to float
        At IoU thresholds 0.50, 0.55, ... 0.95: ``ap_50`` ..., TP / (TP + FP + FN), and
        ``map``, their mean, whose mean over images is the DSB2018 score. At 0.5:
        ``precision``, ``recall``, ``f1``, ``sq``, ``rq``, ``pq``. Then ``seg``,
        ``aji``, ``aji_plus``, ``dice`` of the voxels in any instance, and
        ``count_error``, predicted minus annotated. With limits ``ap_50_small`` and so
        on. The counts behind them, for sums over images: ``predicted``, ``reference``,
        ``tp_50`` ..., ``iou_sum``, ``seg_sum``, ``aji_shared``, ``aji_union``,
        ``aji_plus_shared``, ``aji_plus_union``.
    """
    predicted, reference = len(table.predicted), len(table.reference)
    pairs = match(table, HALF)
    ious = table.ious[pairs]
    found = {
        t: int(np.count_nonzero(ious > t)) if table.disjoint else len(match(table, t))
        for t in THRESHOLDS
    }
    ap = {t: _ratio(n, predicted + reference - n, empty) for t, n in found.items()}
    tp, quality = found[HALF], float(ious.sum())
    both = (predicted + reference) / 2
    no_pair = empty if not both else math.nan
    seg = _seg_sum(table)
    aji, aji_plus = _aji(table), _aji_plus(table)
    foreground = table.predicted_sizes.sum() + table.reference_sizes.sum()
    scores = {
        "map": float(np.mean(list(ap.values()))),
        **{key("ap", t): value for t, value in ap.items()},
        "precision": _ratio(tp, predicted, no_pair),
        "recall": _ratio(tp, reference, no_pair),
        "f1": _ratio(tp, both, empty),
        "sq": _ratio(quality, tp, no_pair),
        "rq": _ratio(tp, both, empty),
        "pq": _ratio(quality, both, empty),
        "seg": _ratio(seg, reference, no_pair),
        "aji": _ratio(*aji, empty),
        "aji_plus": _ratio(*aji_plus, empty),
        "dice": _ratio(2 * int(table.shared.sum()), int(foreground), empty),
        "count_error": float(predicted - reference),
    }
    counts = {
        "predicted": predicted,
        "reference": reference,
        **{key("tp", t): n for t, n in found.items()},
        "iou_sum": quality,
        "seg_sum": seg,
        **dict(zip(("aji_shared", "aji_union"), aji, strict=True)),
        **dict(zip(("aji_plus_shared", "aji_plus_union"), aji_plus, strict=True)),
    }
    if size_limits is not None:
        for name, kept in zip(SIZES, _by_size(table, size_limits), strict=True):
            n = len(match(kept, HALF))
            sides = {"predicted": len(kept.predicted), "reference": len(kept.reference)}
            scores[f"ap_50_{name}"] = _ratio(n, sum(sides.values()) - n, math.nan)
            counts |= {f"tp_50_{name}": n}
            counts |= {f"{side}_{name}": value for side, value in sides.items()}
    return scores | {name: float(value) for name, value in counts.items()}


def key(metric: str, threshold: float) -> str:
    """Return the name of a metric at an IoU threshold, such as ``"ap_50"``."""
    return f"{metric}_{round(100 * threshold)}"


def _by_size(table: Contingency, limits: Sequence[float]) -> list[Contingency]:
    """Return the table of small, of medium and of large objects."""
    edges = [-math.inf, *limits, math.inf]
    tables = []
    for low, high in zip(edges, edges[1:], strict=False):
        other = [
            (sizes <= low) | (sizes > high)
            for sizes in (table.predicted_sizes, table.reference_sizes)
        ]
        tables.append(table.without(*other))
    return tables


def _seg_sum(table: Contingency) -> float:
    """Sum the IoU of annotated objects that are covered by more than half."""
    covered = table.shared > HALF * table.reference_sizes[table.columns]
    if table.disjoint:
        return float(table.ious[covered].sum())
    best = np.zeros(len(table.reference))  # several may cover it so
    np.maximum.at(best, table.columns[covered], table.ious[covered])
    return float(best.sum())


def _aji(table: Contingency) -> tuple[int, int]:
    """Return intersection and union of the aggregated Jaccard index.

    Each annotated object takes the predicted one with the largest IoU, of equals the
    one with the smaller id; several may take the same.
    """
    order = np.lexsort((table.rows, -table.ious, table.columns))
    first = order[np.diff(table.columns[order], prepend=-1) > 0]
    return _aggregate(table, first)


def _aji_plus(table: Contingency) -> tuple[int, int]:
    """Return the same with partners one to one, as many as possible."""
    return _aggregate(table, match(table, 0.0))


def _aggregate(table: Contingency, pairs: NDArray[np.int64]) -> tuple[int, int]:
    shared, union = int(table.shared[pairs].sum()), int(table.unions[pairs].sum())
    for sizes, used in (
        (table.predicted_sizes, table.rows[pairs]),
        (table.reference_sizes, table.columns[pairs]),
    ):
        alone = np.ones(len(sizes), dtype=bool)
        alone[used] = False
        union += int(sizes[alone].sum())
    return shared, union


def _ascending(limits: Sequence[float]) -> bool:
    return len(limits) == 2 and 0 <= limits[0] <= limits[1]


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty
