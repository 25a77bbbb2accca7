"""What windows of an array are read from."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Box = tuple[slice, ...]
"""A slice for each axis, with start and stop, without a step."""


class Source(Protocol):
    """What voxels are read from.

    Attributes
    ----------
    shape : tuple of int
        Length of each axis.
    dtype : dtype
        What `read` gives.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def read(self, box: Box) -> Array:
        """Return what is in a box, of its shape."""

    def let_go(self) -> None:
        """Forget what was read; it is read again when it is looked at."""


@dataclass(frozen=True, eq=False)
class Held:
    """An array as a source; a memory map reads nothing before it is looked at."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        kind: np.dtype[Any] = np.dtype(self.array.dtype)
        return kind

    def read(self, box: Box) -> Array:
        return np.asarray(self.array[box])

    def let_go(self) -> None:
        owner = self.map_behind
        if owner is not None and hasattr(mmap, "MADV_DONTNEED"):
            owner.madvise(mmap.MADV_DONTNEED)

    @property
    def map_behind(self) -> mmap.mmap | None:
        """The memory map that the array is a view of, if it is shared with a file."""
        array = self.array
        while isinstance(array, np.ndarray):
            if isinstance(array, np.memmap) and array.mode == "c":
                return None  # what was written exists nowhere else
            array = array.base
        return array if isinstance(array, mmap.mmap) else None


@dataclass(frozen=True, eq=False)
class Each:
    """What a function makes of each number of a source."""

    source: Source
    function: Callable[[Array], Array]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.source.shape

    def read(self, box: Box) -> Array:
        return self.function(self.source.read(box))

    def let_go(self) -> None:
        self.source.let_go()
