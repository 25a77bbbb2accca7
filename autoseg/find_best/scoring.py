"""Score one class of one case by the one measure that is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.find_best.table import goodness
from autoseg.metrics.overlap import overlap
from autoseg.metrics.segmentation import score_masks

Mask = NDArray[np.bool_]

# These need counts of voxels only, not the distances of surfaces.
COUNTED = ("dice", "iou", "sensitivity", "precision", "volume_error")


def score_mask(
    predicted: Mask,
    reference: Mask,
    spacing: tuple[float, ...],
    counted: Mask | None,
    by: str,
    worst: float,
) -> float:
    """Return the goodness of a predicted mask.

    Parameters
    ----------
    predicted, reference : ndarray of bool, shape S
        One class.
    spacing : tuple of float, length D
        Edge of a voxel.
    counted : ndarray of bool, shape S, or None
        Voxels that count; None: all.
    by : str
        The measure.
    worst : float
        What an infinite distance counts as.

    Returns
    -------
    float
        See `autoseg.find_best.table.goodness`.
    """
    scores: dict[str, Any]
    if by in COUNTED:
        found = overlap(predicted, reference, counted)
        counts = {"tp": found.tp, "fp": found.fp, "fn": found.fn}
        scores = {by: getattr(found, by), **counts}
    else:
        scores = score_masks(predicted, reference, spacing, counted)
    return goodness(scores, by, worst)
