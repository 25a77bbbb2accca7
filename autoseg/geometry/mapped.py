"""Arrays too large for memory: in files that vanish with the process, or their own.

A temporary file has no name from the beginning on, so that nothing is left even of a
process that is killed.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autoseg.atomic import reserve
from autoseg.errors import AutosegError
from autoseg.geometry.orientation import Turn
from autoseg.spec.arrays.windowed import AT_ONCE, Held, Windowed

Array = NDArray[Any]

IN_MEMORY = 2**28  # bytes of an array that is kept in memory
IMAGE = 4  # times that, as float32: an image is read as a whole up to here
COPIES = 16  # of an image as float32 that are there at once, with what is made of it

_limits: list[int] = []


@contextmanager
def keeping_to(memory: float) -> Iterator[None]:
    """Leave images in their files that would not fit into the memory that there is.

    Parameters
    ----------
    memory : float
        Bytes that may be taken. Where nobody says it, images stay in their files from
        1 GB on, as float32.
    """
    limit = int(memory / COPIES)
    _limits.append(limit)
    try:
        yield
    finally:
        _limits.remove(limit)


def is_large(numbers: int) -> bool:
    """Return whether an image of so many numbers is left in its file."""
    return 4 * numbers > min([IMAGE * IN_MEMORY, *_limits])


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
    if size <= min([IN_MEMORY, *_limits]):
        return np.zeros(tuple(shape), dtype)
    return filed(shape, dtype)


def filed(shape: Sequence[int], dtype: DTypeLike) -> Array:
    """Return zeros in a file that is gone with the array, as `zeros` does of many."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
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


def in_rows(array: Any, voxels: int = 0) -> Iterator[tuple[slice, Array]]:
    """Yield an array in pieces along its first axis, and let go of each.

    Parameters
    ----------
    array : ndarray or Windowed
        Of any shape.
    voxels : int
        About so many in a piece; by default some millions.

    Yields
    ------
    slice
        Which rows.
    ndarray
        The rows.
    """
    if isinstance(array, Windowed):
        yield from array.rows(voxels)
        return
    step = max(1, (voxels or AT_ONCE) // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        rows = slice(start, min(len(array), start + step))
        yield rows, array[rows]
        let_go(array)


def is_mapped(array: Any) -> bool:
    """Return whether an array is in a file: a memory map, a view of one, windowed."""
    return isinstance(array, Windowed) or Held(array).map_behind is not None


def held_bytes(array: Any) -> int:
    """Return how much memory an array takes; one that is in a file takes none."""
    return 0 if is_mapped(array) else int(array.nbytes)


def let_go(array: Any) -> None:
    """Take an array's pages out of memory; they come back when they are looked at.

    Parameters
    ----------
    array : ndarray or Windowed
        A memory map of a file, or a view of one; anything else stays as it is.
    """
    source = array if isinstance(array, Windowed) else Held(array)
    source.let_go()


@contextmanager
def forgetting(array: Any, seconds: float = 0.1) -> Iterator[None]:
    """Keep letting go of an array in a file, while a library reads it that does not.

    Parameters
    ----------
    array : ndarray or Windowed
        Anything that is not in a file stays as it is.
    seconds : float
        How long pages may stay in memory, about.
    """
    if not is_mapped(array):
        yield
        return
    done = threading.Event()

    def forget() -> None:
        while not done.wait(seconds):
            let_go(array)

    thread = threading.Thread(target=forget, name="forgetting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        let_go(array)


def file_turn(array: Any, dim: int) -> Turn:
    """Return how the last axes of a view are turned to the order of their file.

    Parameters
    ----------
    array : ndarray or Windowed
        Of which the last ``dim`` axes are those of space.
    dim : int
        D.
    """
    steps = array.strides[array.ndim - dim :]
    axes = tuple(sorted(range(dim), key=lambda axis: -abs(steps[axis])))
    return Turn(axes, tuple(i for i, axis in enumerate(axes) if steps[axis] < 0))
