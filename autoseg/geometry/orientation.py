"""Turn volumes to an anatomical orientation and back, without interpolation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.spec.image import Geometry

Array = NDArray[Any]

# In ITK's frame x grows to the patient's left, y to posterior, z to superior.
LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
BEFORE = "geometry before reorientation"  # in the header of a turned geometry


def orientation_of(geometry: Geometry) -> str | None:
    """Return where the axes x, y, z of a volume point, as ITK's three letters.

    Parameters
    ----------
    geometry : Geometry
        Its direction matrix decides.

    Returns
    -------
    str or None
        Such as ``"LPS"``: x grows to the left, y to posterior, z to superior. An
        oblique axis has the letter that it is nearest to. None unless 3-D: a
        photograph or a single slice is never turned. None, too, if the file does not
        say how its axes lie.
    """
    if geometry.dim != 3 or not geometry.oriented:
        return None
    return _letters(tuple(geometry.direction))


def is_silent(geometry: Geometry) -> bool:
    """Return whether a volume in mm does not say how its axes lie.

    Of what has no size, or is seen by a microscope, nobody expects it.
    """
    return geometry.dim == 3 and geometry.unit == "mm" and not geometry.oriented


@functools.lru_cache(maxsize=256)  # of a thousand volumes most lie alike
def _letters(direction: tuple[float, ...]) -> str:
    matrix = np.array(direction, dtype=np.float64).reshape(3, 3)
    letters = [""] * 3
    size = np.abs(matrix)
    for _ in range(3):  # the clearest pairs of world axis and image axis first
        world, axis = np.unravel_index(np.argmax(size), size.shape)
        letters[axis] = LETTERS[world][int(matrix[world, axis] > 0)]
        size[world, :] = -1
        size[:, axis] = -1
    return "".join(letters)


@dataclass(frozen=True)
class Turn:
    """A permutation of the spatial axes of an array, then flips of some of them.

    Parameters
    ----------
    axes : tuple of int, length D
        For each axis afterwards, the one it was before; slowest axis first.
    flips : tuple of int
        Axes afterwards that run backwards.
    """

    axes: tuple[int, ...]
    flips: tuple[int, ...]

    def apply(self, array: Array) -> Array:
        """Return a view of an array whose last D axes are turned."""
        lead = array.ndim - len(self.axes)
        turned = array.transpose(*range(lead), *(lead + axis for axis in self.axes))
        return np.flip(turned, tuple(lead + axis for axis in self.flips))

    def undo(self, array: Array) -> Array:
        """Return a view of an array whose last D axes are turned back."""
        lead = array.ndim - len(self.axes)
        array = np.flip(array, tuple(lead + axis for axis in self.flips))
        back = np.argsort(self.axes)
        return array.transpose(*range(lead), *(lead + int(axis) for axis in back))

    def apply_points(self, points: Array, shape: Sequence[int]) -> Array:
        """Return where points (L, D) of an array of a shape are when it is turned."""
        turned = np.asarray(points)[:, self.axes]
        for axis in self.flips:
            turned[:, axis] = shape[self.axes[axis]] - 1 - turned[:, axis]
        return turned

    def shape_of(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of an array of a shape when it is turned."""
        return tuple(shape[axis] for axis in self.axes)

    def undo_points(self, points: Array, shape: Sequence[int]) -> Array:
        """Return where points of a turned array are in the one of this shape."""
        back = np.array(points)
        for axis in self.flips:
            back[:, axis] = shape[self.axes[axis]] - 1 - back[:, axis]
        return back[:, np.argsort(self.axes)]


def turn_to(geometry: Geometry, code: str) -> Turn:
    """Return how arrays of a geometry are turned to an orientation.

    Parameters
    ----------
    geometry : Geometry
        Of the array, in 3-D.
    code : str
        ITK's letters of the orientation wanted, such as ``"LPS"``.

    Returns
    -------
    Turn
        To apply to arrays of that geometry; of one that is not oriented, nothing.

    Raises
    ------
    UsageError
        If ``code`` is no orientation, or the geometry is not three-dimensional.
    """
    kinds = ["RL", "AP", "IS"]
    wanted = [next((k for k in kinds if letter in k), "") for letter in code.upper()]
    if sorted(wanted) != sorted(kinds):
        raise UsageError(
            f"orientation {code!r} is none: give one letter of each of R/L, A/P and "
            "I/S, such as 'LPS'."
        )
    if geometry.dim == 3 and not geometry.oriented:
        return Turn(axes=(0, 1, 2), flips=())
    current = orientation_of(geometry)
    if current is None:
        raise UsageError(
            f"an image of {geometry.dim} axes has no orientation to turn to {code!r}."
        )
    axes, flips = [], []
    for place, letter in enumerate(code.upper()):
        source = next(i for i, c in enumerate(current) if c in wanted[place])
        axes.append(2 - source)  # letters are in the order x, y, z; arrays z, y, x
        if current[source] != letter:
            flips.append(2 - place)
    return Turn(axes=tuple(reversed(axes)), flips=tuple(sorted(flips)))


def reorient(array: Array, geometry: Geometry, code: str) -> tuple[Array, Geometry]:
    """Turn a volume to an orientation.

    Parameters
    ----------
    array : ndarray, shape (*S) or (C, *S)
        The volume.
    geometry : Geometry
        Its geometry.
    code : str
        ITK's letters, such as ``"LPS"``.

    Returns
    -------
    array : ndarray
        A view: axes permuted and flipped.
    geometry : Geometry
        In which every voxel is where it was. Turned back to the orientation that it
        was turned from, a geometry is the first one again, to the bit.
    """
    turn = turn_to(geometry, code)
    turned = turn.apply(array)
    if turn == Turn(axes=(0, 1, 2), flips=()):
        return turned, geometry
    return turned, _turned_geometry(geometry, turn, code)


def _turned_geometry(geometry: Geometry, turn: Turn, code: str) -> Geometry:
    before = _before(geometry)
    if before is not None:
        # The sums below round, so undone they might not give the same bits.
        if orientation_of(before) == code.upper():
            return before
        return _turned_geometry(before, turn_to(before, code), code)
    matrix = np.array(geometry.direction, dtype=np.float64).reshape(3, 3)
    origin = np.array(geometry.origin, dtype=np.float64)
    columns = []
    for new_axis in (2, 1, 0):  # x, y, z
        axis = turn.axes[new_axis]
        column = matrix[:, 2 - axis]
        if new_axis in turn.flips:
            last = (geometry.shape[axis] - 1) * geometry.spacing[axis]
            origin = origin + column * last
            column = -column
        columns.append(column)
    direction = np.stack(columns, axis=1) + 0.0  # no negative zeros
    return replace(
        geometry,
        shape=tuple(geometry.shape[axis] for axis in turn.axes),
        spacing=tuple(geometry.spacing[axis] for axis in turn.axes),
        origin=tuple(origin.tolist()),
        direction=tuple(direction.ravel().tolist()),
        header={BEFORE: geometry},
    )


def _before(geometry: Geometry) -> Geometry | None:
    """Return the geometry that this one was turned from, if it still is that."""
    before = geometry.header.get(BEFORE)
    if not isinstance(before, Geometry):
        return None
    code = orientation_of(geometry)
    again = _turned_geometry(before, turn_to(before, code or ""), code or "")
    return before if again == geometry else None
