"""One object of an image, cut to its box.

Legend: D axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Mask:
    """One object, cut to a box.

    Parameters
    ----------
    start : tuple of int, length D
        The voxel of the grid that the box begins with.
    inside : ndarray of bool, shape (*box)
        Where in the box the object is.
    """

    start: tuple[int, ...]
    inside: NDArray[np.bool_]

    @classmethod
    def of_places(cls, places: Sequence[Array]) -> Mask:
        """Return the mask of voxels, given as an index array for each axis.

        Examples
        --------
        >>> Mask.of_places(([4, 5], [2, 2])).inside.tolist()
        [[True], [True]]
        """
        at = [np.asarray(axis) for axis in places]
        start = tuple(int(axis.min()) for axis in at)
        shape = [int(axis.max()) - low + 1 for axis, low in zip(at, start, strict=True)]
        inside = np.zeros(shape, bool)
        inside[tuple(a - low for a, low in zip(at, start, strict=True))] = True
        return cls(start, inside)

    @cached_property
    def box(self) -> tuple[slice, ...]:
        """The box, as an index into the grid."""
        ends = zip(self.start, self.inside.shape, strict=True)
        return tuple(slice(low, low + size) for low, size in ends)

    @property
    def size(self) -> int:
        """How many voxels it has."""
        return int(np.count_nonzero(self.inside))

    @property
    def places(self) -> tuple[Array, ...]:
        """Its voxels in the grid, an index array for each axis."""
        found = np.nonzero(self.inside)
        return tuple(at + low for at, low in zip(found, self.start, strict=True))

    def common(self, box: Sequence[slice]) -> tuple[slice, ...] | None:
        """Return what its box has in common with another one of the grid, or None."""
        both = []
        for a, b in zip(self.box, box, strict=True):
            low, high = max(a.start, b.start), min(a.stop, b.stop)
            if low >= high:
                return None  # as most are: nothing is made for them
            both.append(slice(low, high))
        return tuple(both)

    def has(self, place: Sequence[int]) -> bool:
        """Return whether a voxel of the grid is in it."""
        at = tuple(p - low for p, low in zip(place, self.start, strict=True))
        sizes = self.inside.shape
        here = all(0 <= p < size for p, size in zip(at, sizes, strict=True))
        return here and bool(self.inside[at])

    def cut(self, box: Sequence[slice]) -> NDArray[np.bool_]:
        """Return it in a part of its box, which is given as an index into the grid."""
        at = zip(box, self.start, strict=True)
        part: NDArray[np.bool_] = self.inside[
            tuple(slice(side.start - low, side.stop - low) for side, low in at)
        ]
        return part

    def shared(self, other: Mask) -> int:
        """Return how many voxels it has in common with another mask of the grid."""
        both = self.common(other.box)
        if both is None:
            return 0
        return int(np.count_nonzero(self.cut(both) & other.cut(both)))

    def united(self, other: Mask) -> Mask:
        """Return the voxels of either."""
        low = tuple(map(min, self.start, other.start))
        ends = [max(a.stop, b.stop) for a, b in zip(self.box, other.box, strict=True)]
        inside = np.zeros([e - s for e, s in zip(ends, low, strict=True)], bool)
        made = Mask(low, inside)
        for one in (self, other):
            made.cut(one.box)[...] |= one.inside
        return made
