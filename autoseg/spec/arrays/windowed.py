"""Arrays that are read window by window, from a file that stays where it is.

Whoever takes one as a NumPy array reads all of it. Slices, flips and permutations of
axes read nothing: what is looked at last is read, and no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import DTypeLike, NDArray

from autoseg.spec.arrays.sources import Box as Box
from autoseg.spec.arrays.sources import Each, Source
from autoseg.spec.arrays.sources import Held as Held

Array = NDArray[Any]
AT_ONCE = 2**22  # numbers that are read at once where nobody says how many


@dataclass(frozen=True)
class _Axis:
    """An axis of a view: which one of the source, and from where to where."""

    number: int | None  # None: a new axis, of length 1
    start: int
    size: int
    step: int = 1  # or -1

    def sliced(self, part: slice) -> _Axis:
        start, stop, step = part.indices(self.size)
        size = len(range(start, stop, step))
        if not size:
            return replace(self, size=0)
        return _Axis(
            self.number, self.start + start * self.step, size, self.step * step
        )

    @property
    def slice(self) -> slice:
        if not self.size:
            return slice(0, 0)
        first, last = self.start, self.start + (self.size - 1) * self.step
        return slice(min(first, last), max(first, last) + 1)


class Windowed(NDArrayOperatorsMixin):
    """An array whose parts are read when somebody needs their numbers.

    Parameters
    ----------
    source : Source
        Where they are read from.

    Examples
    --------
    >>> lazy = Windowed(Held(np.arange(6).reshape(2, 3)))
    >>> part = lazy[1, ::-1]
    >>> part.shape, np.asarray(part)
    ((3,), array([5, 4, 3]))
    """

    __array_priority__ = 100

    def __init__(self, source: Source) -> None:
        self.source = source
        self._axes = tuple(_Axis(i, 0, size) for i, size in enumerate(source.shape))
        self._fixed: dict[int, int] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(axis.size for axis in self._axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers."""
        return np.dtype(self.source.dtype)

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self._axes)

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes that it would take in memory."""
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one number to the next along each axis, if it were in memory."""
        total = self.itemsize
        steps: list[int] = []
        for size in reversed(self.source.shape):
            steps.insert(0, total)
            total *= size
        return tuple(
            0 if axis.number is None else axis.step * steps[axis.number]
            for axis in self._axes
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if not all(_is_plain(part) for part in parts):
            return np.asarray(self)[index]
        axes, fixed, rest = [], dict(self._fixed), list(self._axes)
        for part in _spelled_out(parts, self.ndim):
            if part is None:
                axes.append(_Axis(None, 0, 1))
                continue
            axis = rest.pop(0)
            if isinstance(part, slice):
                axes.append(axis.sliced(part))
                continue
            place = range(axis.size)[int(part)]  # an IndexError beyond the end
            if axis.number is not None:
                fixed[axis.number] = axis.start + place * axis.step
        return self._seen(tuple(axes), fixed)

    def transpose(self, *order: Any) -> Windowed:
        """Return it with the axes in another order; by default the reverse."""
        if len(order) == 1 and isinstance(order[0], (tuple, list)):
            order = tuple(order[0])
        places = order or tuple(range(self.ndim))[::-1]
        return self._seen(tuple(self._axes[place] for place in places), self._fixed)

    def swapaxes(self, one: int, other: int) -> Windowed:
        """Return it with two axes exchanged."""
        places = list(range(self.ndim))
        places[one], places[other] = places[other], places[one]
        return self.transpose(*places)

    def astype(self, dtype: DTypeLike, **options: Any) -> Array:
        """Read all of it, as numbers of a type."""
        return np.asarray(self).astype(dtype, **options)

    def each(self, function: Callable[[Array], Array], dtype: DTypeLike) -> Windowed:
        """Return what a function makes of each number, done when it is read.

        Parameters
        ----------
        function : callable
            From an array to one of the same shape, number by number.
        dtype : dtype
            Of what it returns.
        """
        each = Each(self.source, function, np.dtype(dtype))
        return Windowed(each)._seen(self._axes, self._fixed)

    def rows(self, numbers: int = 0) -> Iterator[tuple[slice, Array]]:
        """Yield which rows and the rows, about so many numbers at a time."""
        numbers = numbers or AT_ONCE
        step = max(1, numbers // max(1, math.prod(self.shape[1:])))
        for start in range(0, len(self), step):
            part = slice(start, min(len(self), start + step))
            yield part, np.asarray(self[part])
            self.let_go()

    def min(self, initial: Any = None) -> Any:
        """Return the smallest number, read piece by piece."""
        return _least(np.min, [np.min(part) for part in pieces(self)], initial)

    def max(self, initial: Any = None) -> Any:
        """Return the largest number, read piece by piece."""
        return _least(np.max, [np.max(part) for part in pieces(self)], initial)

    def any(self) -> bool:
        """Return whether any number is not 0, read piece by piece."""
        return any(bool(part.any()) for part in pieces(self))

    def all(self) -> bool:
        """Return whether no number is 0, read piece by piece."""
        return all(bool(part.all()) for part in pieces(self))

    def let_go(self) -> None:
        """Forget what was read."""
        self.source.let_go()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        box = [slice(0, 0)] * len(self.source.shape)
        for axis in self._axes:
            if axis.number is not None:
                box[axis.number] = axis.slice
        for number, place in self._fixed.items():
            box[number] = slice(place, place + 1)
        array = self.source.read(tuple(box)) if self.size else self._nothing(box)
        kept = [axis.number for axis in self._axes if axis.number is not None]
        array = array[
            tuple(0 if i in self._fixed else slice(None) for i in range(array.ndim))
        ]
        array = array.transpose([sorted(kept).index(number) for number in kept])
        index = [
            None if a.number is None else slice(None, None, a.step) for a in self._axes
        ]
        array = np.asarray(array[tuple(index)])
        return array if dtype is None else array.astype(dtype, copy=False)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        read = (np.asarray(one) if isinstance(one, Windowed) else one for one in inputs)
        return getattr(ufunc, method)(*read, **options)

    def _nothing(self, box: Sequence[slice]) -> Array:
        return np.zeros([part.stop - part.start for part in box], self.dtype)

    def _seen(self, axes: tuple[_Axis, ...], fixed: dict[int, int]) -> Windowed:
        view = Windowed(self.source)
        view._axes, view._fixed = axes, fixed
        return view


@dataclass(frozen=True, eq=False)
class Joined:
    """Arrays one behind the other along their first axis, as a source."""

    arrays: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        first = self.arrays[0].shape
        return (sum(len(array) for array in self.arrays), *first[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        kinds = [np.dtype(array.dtype) for array in self.arrays]
        return np.result_type(*kinds)

    def read(self, box: Box) -> Array:
        parts, first = [], 0
        for array in self.arrays:
            low = max(0, box[0].start - first)
            high = min(len(array), box[0].stop - first)
            if low < high:
                parts.append(np.asarray(array[(slice(low, high), *box[1:])]))
            first += len(array)
        return np.concatenate(parts, dtype=self.dtype)

    def let_go(self) -> None:
        for array in self.arrays:
            if isinstance(array, Windowed):
                array.let_go()


def pieces(array: Any, numbers: int = 0) -> Iterator[Array]:
    """Yield an array in memory as it is, and one that is read by windows in parts.

    Parameters
    ----------
    array : ndarray or Windowed
        Of any shape.
    numbers : int
        About so many in a part; by default some millions. Parts are rows along the
        first axis.
    """
    if not isinstance(array, Windowed):
        yield array
        return
    if array.size:
        for _, part in array.rows(numbers):
            yield part


def _least(function: Callable[..., Any], found: list[Any], initial: Any) -> Any:
    return function(found if initial is None else [*found, initial])


def windowed(array: Any) -> Windowed:
    """Return an array, such as a memory map, as one that is read by windows."""
    return array if isinstance(array, Windowed) else Windowed(Held(array))


def _is_plain(part: Any) -> bool:
    """Return whether an index only chooses, and reads nothing."""
    if isinstance(part, slice):
        return part.step in (None, 1, -1)
    if part is None or part is Ellipsis:
        return True
    return isinstance(part, (int, np.integer)) and not isinstance(part, bool)


def _spelled_out(parts: Sequence[Any], ndim: int) -> list[Any]:
    """Return an index with a slice for each axis that it leaves out."""
    given = sum(part is not None and part is not Ellipsis for part in parts)
    if given > ndim:
        raise IndexError(f"{given} indices for {ndim} axes.")
    missing = [slice(None)] * (ndim - given)
    if Ellipsis not in parts:
        return [*parts, *missing]
    place = list(parts).index(Ellipsis)
    return [*parts[:place], *missing, *parts[place + 1 :]]
