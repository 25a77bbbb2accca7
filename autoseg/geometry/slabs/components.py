"""Connected components of masks that are looked at slab by slab.

Each slab is labeled by itself; which labels of neighboring slabs are one component is
noted where they touch, and worked out when all slabs were seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]

CONNECTIVITY = {2: (4, 8), 3: (6, 26)}  # over faces; over corners, too
SLAB = 2**22  # voxels labeled at once: some tens of bytes for each


def connected(mask: Mask, connectivity: int | None = None) -> Array:
    """Return the components of a mask that is in memory, numbered from 1 on.

    Parameters
    ----------
    mask : ndarray of bool, shape S
        In 2-D or 3-D.
    connectivity : int, optional
        One of `CONNECTIVITY`; by default over corners.

    Returns
    -------
    ndarray of unsigned int, shape S
        In the order in which a walk along the last axis meets them.
    """
    import cc3d

    # Of bool, cc3d 4.1.1 joins what is apart, and labels what is outside, in 2-D.
    chosen: Any = connectivity or CONNECTIVITY[mask.ndim][True]
    # It numbers them in the order of memory.
    walked = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
    return cc3d.connected_components(walked, connectivity=chosen)


class Components:
    """Components of a mask whose slabs come one after the other along the first axis.

    Parameters
    ----------
    dim : int
        D, 2 or 3.
    diagonal : bool
        Voxels that share an edge or a corner hang together, not only a face.
    """

    def __init__(self, dim: int, diagonal: bool) -> None:
        self._connectivity = CONNECTIVITY[dim][diagonal]
        reach = (-1, 0, 1) if diagonal else (0,)
        self._shifts = list(itertools.product(reach, repeat=dim - 1))
        self._pairs: list[NDArray[np.int64]] = []
        self._last: NDArray[np.int64] | None = None
        self.count = 0  # labels of all slabs so far

    def label(self, mask: Mask) -> tuple[Array, slice]:
        """Return the labels of the next slab, and which they are of all.

        Parameters
        ----------
        mask : ndarray of bool, shape (R, ...)
            The next rows.

        Returns
        -------
        labels : ndarray of unsigned int, shape (R, ...)
            Of the slab by itself: 0 outside of the mask, then 1, 2, ...
        mine : slice
            Where its labels 1, 2, ... are among those of all slabs.
        """
        found = connected(mask, self._connectivity)
        if self._last is not None:
            self._join(self._last, found[0])
        self._last = self._framed(found[-1])
        first = self.count + 1
        self.count += int(found.max(initial=0))
        return found, slice(first, self.count + 1)

    def _framed(self, row: Array) -> NDArray[np.int64]:
        """Return the labels of a row among those of all slabs, with zeros around it."""
        labels = np.pad(row.astype(np.int64), 1)
        labels[labels > 0] += self.count
        return labels

    def _join(self, above: NDArray[np.int64], row: Array) -> None:
        """Note which labels of a framed row touch those of the slab at hand below it.

        Only what lies in the mask is looked at, and of neighbors that touch alike one
        after the other, the first: masks are mostly thin, and touch over areas.
        """
        places = np.nonzero(row)
        own = row[places].astype(np.int64) + self.count
        count = int(own.max(initial=1))
        inside = np.ravel_multi_index(tuple(p + 1 for p in places), above.shape)
        steps = np.array(above.strides) // above.itemsize
        flat, touching = above.reshape(-1), []
        for shift in self._shifts:
            other = flat[inside + int(steps @ shift)]
            new = other > 0
            new[1:] &= (other[1:] != other[:-1]) | (own[1:] != own[:-1])
            touching.append((other[new] - 1) * count + own[new] - 1)
        # One number for each pair is sorted far more quickly than two.
        pairs = np.unique(np.concatenate(touching))
        self._pairs.append(np.stack(np.divmod(pairs, count)) + 1)

    def numbers(self) -> NDArray[np.int64]:
        """Return which component each label is of, counted from 0, (count + 1,).

        Label 0, the outside, is a component of its own.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows, columns = np.concatenate(
            [np.zeros((2, 0), np.int64), *self._pairs], axis=1
        )
        size = (self.count + 1, self.count + 1)
        graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=size)
        _, found = connected_components(graph, directed=False)
        return np.asarray(found, np.int64)


def component_sizes(slabs: Iterable[Mask], dim: int) -> NDArray[np.int64]:
    """Return how many voxels each component of a mask has, corners joining.

    Parameters
    ----------
    slabs : iterable of ndarray of bool, shape (R, ...)
        The mask, some rows after the other.
    dim : int
        D, 2 or 3.

    Returns
    -------
    ndarray of int64, shape (components,)
        In no particular order.
    """
    _, sizes = numbered_sizes(slabs, dim)
    return sizes[sizes > 0]


def numbered_sizes(
    slabs: Iterable[Mask], dim: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which component each label of `Components.label` is of, and their voxels.

    Parameters
    ----------
    slabs, dim
        As of `component_sizes`.

    Returns
    -------
    numbers : ndarray of int64, shape (labels + 1,)
        As `Components.numbers`: the outside first, then in the order in which slabs
        show them.
    sizes : ndarray of int64
        Voxels of component 0, 1, ...; 0 for the outside.
    """
    components = Components(dim, diagonal=True)
    voxels = [np.zeros(1, np.int64)]
    for mask in slabs:
        labels, mine = components.label(mask)
        own = np.bincount(labels.ravel(), minlength=mine.stop - mine.start + 1)
        voxels.append(own[1:])
    numbers, counts = components.numbers(), np.concatenate(voxels)
    sizes = np.zeros(int(numbers.max()) + 1, np.int64)
    np.add.at(sizes, numbers, counts)
    sizes[numbers[0]] = 0
    return numbers, sizes
