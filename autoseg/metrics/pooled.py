"""Metrics of all cases together, from sums of counts over the cases.

A mean over images counts an image of two objects as much as one of two hundred; a
pooled metric counts every object alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.instances import SIZES, THRESHOLDS, key


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A sum of counts divided by another.

    Parameters
    ----------
    over, under : mapping of str to float
        How often each count enters the sum above and below the line.
    """

    over: Mapping[str, float]
    under: Mapping[str, float]

    def __call__(self, sums: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return the ratio for arrays of sums, NaN where the lower sum is zero."""
        over, under = (
            np.asarray(sum(weight * sums[name] for name, weight in side.items()), float)
            for side in (self.over, self.under)
        )
        result: NDArray[np.float64] = np.divide(
            over, under, out=np.full(over.shape, math.nan), where=under != 0
        )
        return result


Pooled = Mapping[str, Sequence[Ratio]]
"""By the metric's name: ratios whose mean it is."""


def _ap(tp: str, of: str = "") -> Ratio:
    predicted, reference = f"predicted{of}", f"reference{of}"
    return Ratio(over={tp: 1}, under={predicted: 1, reference: 1, tp: -1})


_MATCHED = key("tp", THRESHOLDS[0])
_BOTH = {"predicted": 0.5, "reference": 0.5}

POOLED_INSTANCES: Pooled = {
    "map_pooled": [_ap(key("tp", t)) for t in THRESHOLDS],
    **{f"{key('ap', t)}_pooled": [_ap(key("tp", t))] for t in THRESHOLDS},
    "precision_pooled": [Ratio(over={_MATCHED: 1}, under={"predicted": 1})],
    "recall_pooled": [Ratio(over={_MATCHED: 1}, under={"reference": 1})],
    "f1_pooled": [Ratio(over={_MATCHED: 1}, under=_BOTH)],
    "sq_pooled": [Ratio(over={"iou_sum": 1}, under={_MATCHED: 1})],
    "rq_pooled": [Ratio(over={_MATCHED: 1}, under=_BOTH)],
    "pq_pooled": [Ratio(over={"iou_sum": 1}, under=_BOTH)],
    "seg_pooled": [Ratio(over={"seg_sum": 1}, under={"reference": 1})],
    "aji_pooled": [Ratio(over={"aji_shared": 1}, under={"aji_union": 1})],
    "aji_plus_pooled": [
        Ratio(over={"aji_plus_shared": 1}, under={"aji_plus_union": 1})
    ],
    "count_error_pooled": [
        Ratio(over={"predicted": 1, "reference": -1}, under={"reference": 1})
    ],
    **{f"ap_50_{s}_pooled": [_ap(f"{_MATCHED}_{s}", f"_{s}")] for s in SIZES},
}
"""Of the counts of `instances.score_table`. ``count_error_pooled`` is a fraction."""
