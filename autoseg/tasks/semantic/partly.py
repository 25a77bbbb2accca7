"""Label maps that speak of some classes only: how they are numbered where stored.

What a case says is the same for all of its voxels: these classes were annotated, and
those were not. Losses see patches of several cases, so each voxel of a stored map says
it by its value. Values up to that of ``ignore`` mean what they mean in other cases;
behind them come, for each set of annotated classes, as many as there are label values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError, some_of
from autoseg.spec.arrays.windowed import Windowed
from autoseg.tasks.base import Array

IS, IS_NOT, MAY_BE = 1, 0, -1


@dataclass(frozen=True)
class Numbering:
    """The values of stored maps that do not say everything.

    Parameters
    ----------
    sets : sequence of sequence of str
        Names of annotated classes; each set is that of some cases.
    members : mapping of str to tuple of int
        Inner label values of each class or region, in order, background left out.
    overlap : bool
        Classes are regions, which may overlap. Otherwise a voxel of an annotated class
        is of no other, and says everything.
    values : int
        How many label values there are, without ``ignore``.
    first : int
        The first value that is free.
    """

    sets: Sequence[Sequence[str]]
    members: Mapping[str, tuple[int, ...]]
    overlap: bool
    values: int
    first: int

    def set_of(self, annotated: Sequence[str]) -> int:
        """Return which set some names are, or raise DatasetError if none of them."""
        wanted = {name for name in annotated if name in self.members}
        for number, names in enumerate(self.sets):
            if set(names) == wanted:
                return number
        raise DatasetError(
            f"only {some_of(sorted(wanted))} is annotated, by `annotated` in "
            "dataset.json, which the plan or model was not made with. Run `autoseg "
            "plan_and_preprocess` again."
        )

    def unknown(self, number: int) -> tuple[str, ...]:
        """Return the classes that are not in a set."""
        return tuple(name for name in self.members if name not in self.sets[number])

    def start(self, number: int) -> int:
        """Return the value of the background where a set of classes is annotated."""
        return self.first + number * self.values

    def known(self, labels: Array, number: int) -> Array:
        """Return inner labels without what they say of classes that are not in a set.

        A voxel of such a class may as well be background: somebody drew it by chance.
        """
        if self.overlap:
            return labels
        stray = [
            value
            for name in self.unknown(number)
            for value in self.members[name]
            if 0 <= value < self.values
        ]
        return np.where(np.isin(labels, stray), 0, labels).astype(np.int16)

    def code(self, labels: Array, number: int) -> NDArray[np.int16]:
        """Return inner labels of shape S as they are stored.

        Parameters
        ----------
        labels : ndarray of int, shape S
            Values from 0; that of ``ignore`` stays.
        number : int
            Of the set of classes that were annotated.
        """
        above = (labels >= 0) & (labels < self.values)
        if not self.overlap:
            above &= labels == 0
        return np.where(above, labels + self.start(number), labels).astype(np.int16)

    @cached_property
    def rows(self) -> list[tuple[int, list[int]]]:
        """What each further value says, by channel: `IS`, `IS_NOT` or `MAY_BE`.

        Channels are those of the head: all label values, or all regions.
        """
        found = []
        for number in range(len(self.sets)):
            for value in range(self.values if self.overlap else 1):
                says = self._of_regions if self.overlap else self._of_background
                found.append((self.start(number) + value, says(value, number)))
        return found

    def _of_regions(self, value: int, number: int) -> list[int]:
        known = self.sets[number]
        return [
            (IS if value in members else IS_NOT) if name in known else MAY_BE
            for name, members in self.members.items()
        ]

    def _of_background(self, value: int, number: int) -> list[int]:
        possible = {0}.union(*(self.members[name] for name in self.unknown(number)))
        return [MAY_BE if k in possible else IS_NOT for k in range(self.values)]

    def values_of(self, name: str) -> tuple[int, ...]:
        """Return the further values that say that a voxel is of a class."""
        return self._saying(name, IS)

    def silent(self, name: str) -> tuple[int, ...]:
        """Return the further values that say nothing of a class."""
        return self._saying(name, MAY_BE)

    def _saying(self, name: str, what: int) -> tuple[int, ...]:
        number = list(self.members).index(name)
        channel = number if self.overlap else self.members[name][0]
        return tuple(value for value, row in self.rows if row[channel] == what)


def each_part(labels: Any, change: Callable[[Array], Array]) -> Any:
    """Return a label map that is changed voxel by voxel; by windows, if it is read so.

    Parameters
    ----------
    labels : ndarray of int, shape S, or Windowed
        Inner labels.
    change : callable
        Returns as many, int16.
    """
    if isinstance(labels, Windowed):
        return labels.each(change, np.int16)
    return change(labels)
