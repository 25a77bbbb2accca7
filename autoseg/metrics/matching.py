"""Which predicted instance stands for which annotated one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.contingency import SAME, Contingency


def match(table: Contingency, threshold: float) -> NDArray[np.int64]:
    """Pair instances one to one, by an IoU **over** a threshold.

    From 0.5 on, an instance has at most one partner, unless instances of one side
    overlap: there is nothing to choose [1]_. Else, as many pairs as possible are made,
    and of all ways to do so the one with the largest sum of IoU is taken (Hungarian
    method, apart for each group of instances that overlap).

    Parameters
    ----------
    table : Contingency
        The instances.
    threshold : float
        0 up to, but not including, 1.

    Returns
    -------
    ndarray of int64
        Positions of the chosen pairs among the table's pairs, ascending.

    References
    ----------
    .. [1] Kirillov et al., "Panoptic segmentation", CVPR 2019. arXiv:1801.00868

    Examples
    --------
    >>> from autoseg.metrics.contingency import count_shared
    >>> table = count_shared(np.array([1, 1, 2, 2]), np.array([1, 1, 1, 0]))
    >>> match(table, 0.5).tolist(), match(table, 0.7).tolist()
    ([0], [])
    """
    good = np.flatnonzero(table.ious > threshold)
    if threshold >= SAME and table.disjoint:
        return good
    return _assign(table, good)


def _assign(table: Contingency, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the best one-to-one choice among pairs."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns, ious = table.rows[pairs], table.columns[pairs], table.ious[pairs]
    number = len(table.predicted)
    nodes = number + len(table.reference)
    edges = coo_array((np.ones(len(pairs)), (rows, number + columns)), (nodes, nodes))
    group = connected_components(edges, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    chosen: list[int] = []
    for members in np.split(order, starts[1:]):
        if len(members) < 2:
            chosen.extend(members)
            continue
        of_row, row = np.unique(rows[members], return_inverse=True)
        of_column, column = np.unique(columns[members], return_inverse=True)
        gain = np.zeros((len(of_row), len(of_column)))
        place = np.full(gain.shape, -1)
        # One more pair outweighs whatever the others gain in IoU.
        gain[row, column] = 1 + ious[members] / (2 * min(gain.shape))
        place[row, column] = members
        taken = place[linear_sum_assignment(gain, maximize=True)]
        chosen.extend(taken[taken >= 0])
    return np.sort(pairs[np.asarray(chosen, dtype=np.int64)])
