"""COCO's average precision of masks, from tables of overlaps [1]_ [2]_.

Predictions are taken the surest first; each takes the annotated object that it fits
best of those that are free. Precision, made to fall with recall, is averaged over 101
recalls, then over IoU thresholds.

References
----------
.. [1] Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
   arXiv:1405.0312
.. [2] cocodataset.org, "Detection evaluation".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import Contingency

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST = 100  # predictions of an image that COCO looks at; more only where asked for


def average_precision(
    tables: Sequence[Contingency],
    sure: Sequence[Mapping[int, float]],
    most: int | None = None,
) -> dict[str, float]:
    """Return COCO's AP of one class over some images.

    Parameters
    ----------
    tables : sequence of Contingency
        Of each image.
    sure : sequence of mapping of int to float
        Of each image, the score of each predicted object; 0 where it has none.
    most : int, optional
        How many predictions of an image count, the surest; by default all. COCO's own
        number is `MOST`.

    Returns
    -------
    dict of str to float
        ``coco_ap``, over IoU 0.50 to 0.95, and ``coco_ap_50``; NaN without annotated
        objects.
    """
    annotated = sum(len(table.reference) for table in tables)
    if not annotated:
        return {"coco_ap": math.nan, "coco_ap_50": math.nan}
    scores, hits = [], []
    for table, said in zip(tables, sure, strict=True):
        score = np.array([said.get(int(i), 0.0) for i in table.predicted])
        order = np.argsort(-score, kind="mergesort")[:most]
        scores.append(score[order])
        hits.append(_hits(table, order))
    score, hit = np.concatenate(scores), np.concatenate(hits, axis=1)
    order = np.argsort(-score, kind="mergesort")
    found = [_area(row[order], annotated) for row in hit]
    return {"coco_ap": float(np.mean(found)), "coco_ap_50": found[0]}


def _hits(table: Contingency, order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which predictions, in an order, are right, (T, N) by threshold."""
    of: dict[int, list[tuple[float, int]]] = {}
    for row, column, iou in zip(table.rows, table.columns, table.ious, strict=True):
        of.setdefault(int(row), []).append((float(iou), int(column)))
    found = np.zeros((len(THRESHOLDS), len(order)), bool)
    for number, threshold in enumerate(THRESHOLDS):
        taken: set[int] = set()
        for place, row in enumerate(order):
            best, partner = min(float(threshold), 1 - 1e-10), -1
            for iou, column in of.get(int(row), []):
                if column not in taken and iou >= best:  # of equals the last, as COCO
                    best, partner = iou, column
            if partner >= 0:
                taken.add(partner)
                found[number, place] = True
    return found


def _area(hit: NDArray[np.bool_], annotated: int) -> float:
    """Return the mean precision at all recalls, for predictions in order."""
    right = np.cumsum(hit)
    recall = right / annotated
    precision = right / np.maximum(1, np.arange(1, len(hit) + 1))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side="left")
    there = place < len(precision)
    return (
        float(
            np.where(there, precision[np.minimum(place, len(precision) - 1)], 0).mean()
        )
        if len(precision)
        else 0.0
    )
