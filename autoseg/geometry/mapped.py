"""Arrays too large for memory, in files that vanish with the process.

The file has no name from the beginning on, so that nothing is left even of a process
that is killed.
"""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autoseg.atomic import reserve
from autoseg.errors import AutosegError

Array = NDArray[Any]

IN_MEMORY = 2**28  # bytes of an array that is kept in memory


def zeros(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """Return zeros; if they are many, in a file that is gone with the array.

    Parameters
    ----------
    shape : sequence of int
        Of the array.
    dtype : dtype
        Of the numbers.

    Returns
    -------
    ndarray
        An ordinary array, or a memory map of a file in the folder that ``TMPDIR``
        names, else in the system's folder for temporary files.

    Raises
    ------
    AutosegError
        If there is no space for the file.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.zeros(tuple(shape), dtype)
    with tempfile.TemporaryFile(prefix="autoseg-") as file:
        try:
            reserve(file.fileno(), size)
            return np.memmap(file, dtype=dtype, mode="w+", shape=tuple(shape))
        except OSError as error:
            raise AutosegError(
                f"{tempfile.gettempdir()} has no space for a temporary file of "
                f"{size / 1e9:.1f} GB ({error.strerror}). Make space there, or name "
                "another folder by the environment variable TMPDIR."
            ) from None


def in_rows(array: Array, voxels: int = 2**22) -> Iterator[tuple[slice, Array]]:
    """Yield an array in pieces along its first axis, and let go of each.

    Parameters
    ----------
    array : ndarray
        Of any shape.
    voxels : int
        About so many in a piece.

    Yields
    ------
    slice
        Which rows.
    ndarray
        The rows.
    """
    step = max(1, voxels // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        rows = slice(start, min(len(array), start + step))
        yield rows, array[rows]
        let_go(array)


def is_mapped(array: Array) -> bool:
    """Return whether an array is a memory map of a file, or a view of one."""
    return _owner(array) is not None


def let_go(array: Array) -> None:
    """Take an array's pages out of memory; they come back when they are looked at.

    Parameters
    ----------
    array : ndarray
        A memory map of a file, or a view of one; anything else stays as it is.
    """
    owner = _owner(array)
    if owner is not None and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def _owner(array: Any) -> mmap.mmap | None:
    """Return the map that an array is a view of, if it is shared with a file."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.mode == "c":
            return None  # what was written exists nowhere else
        array = array.base
    return array if isinstance(array, mmap.mmap) else None
