"""From which score on a landmark counts as present.

Legend: N cases, L landmarks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PLAIN = 0.5  # the threshold that stands until one is learnt
FEWEST = 5  # cases with and without a landmark, for a threshold of its own


def presence_thresholds(
    score: Array,
    present: NDArray[np.bool_],
    known: NDArray[np.bool_],
    usual: Sequence[float],
) -> list[float]:
    """Return for each landmark the score with the best F1 of presence.

    Parameters
    ----------
    score : ndarray of float64, shape (N, L)
        Of validation cases.
    present, known : ndarray of bool, shape (N, L)
        What the annotation says.
    usual : sequence of float, length L
        Only where this is 0.5 is a threshold learnt; the others stay.

    Returns
    -------
    list of float, length L
        With fewer than 5 cases of either kind, the best threshold of all landmarks that
        are sometimes absent here together; with fewer than 5 of those, 0.5.
    """
    learnt = np.asarray(usual) == PLAIN
    absent = known & ~present
    sometimes = known & (learnt & np.asarray(np.any(absent, axis=0)))
    common = PLAIN
    if _enough(present[sometimes]):
        common = _best_threshold(score[sometimes], present[sometimes])
    found = []
    for column, given in enumerate(usual):
        own = known[:, column]
        if not learnt[column]:
            found.append(float(given))
        elif sometimes[:, column].any() and _enough(present[own, column]):
            found.append(_best_threshold(score[own, column], present[own, column]))
        else:
            found.append(common)
    return found


def _enough(present: NDArray[np.bool_]) -> bool:
    return bool(min(present.sum(), (~present).sum()) >= FEWEST)


def _best_threshold(score: Array, present: NDArray[np.bool_]) -> float:
    """Return the middle of the scores between which the F1 is best."""
    order = np.argsort(score)
    ordered, truth = score[order], present[order]
    steps = np.concatenate([[0.0], ordered, [1.0]])
    kept = truth.sum() - np.concatenate([[0], np.cumsum(truth)])
    said = len(score) - np.arange(len(score) + 1)
    f1 = 2 * kept / np.maximum(1, said + truth.sum())
    # Between equal scores no threshold fits.
    f1 = np.where(np.diff(steps) > 0, f1, -1.0)
    best = int(np.argmax(f1))
    return float((steps[best] + steps[best + 1]) / 2)
