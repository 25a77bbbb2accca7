"""How arrays of a case are packed: number type, chunks and blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.geometry.mapped import in_rows

PRECISIONS = ("auto", "float16", "float32")
# float16 has eleven bits: at most 1/2048 of a value is lost, and no more than 1 up to
# here. Normalized images stay far below.
LARGEST_HALF = 2048.0
BLOCK_BYTES = 64 * 1024  # decompressed at once; fits a core's second-level cache
CHUNK_BYTES = 4 * 1024**2
LARGEST_ROW = 2**24  # numbers that are looked at at once


def layout(
    shape: Sequence[int], itemsize: int, patch_size: Sequence[int] | None = None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose chunks and blocks of a stored array.

    Chunks are about as large as a patch, so that few are opened for one, and blocks,
    which are decompressed as a whole, small enough that little is decompressed in vain
    and that the second-level cache holds them. For a 2-D network, each slice of a
    volume has blocks of its own, and small slices share a chunk.

    Parameters
    ----------
    shape : sequence of int
        Spatial shape of the array, S. Each channel has chunks of its own.
    itemsize : int
        Bytes of an element.
    patch_size : sequence of int, length D, optional
        What is mostly read, along the last D axes.

    Returns
    -------
    (tuple of int, tuple of int)
        Shapes of chunks and of blocks, not larger than the array.
    """
    shape = tuple(max(1, int(n)) for n in shape)
    patch = tuple(patch_size or shape)[-len(shape) :]
    slices = shape[: len(shape) - len(patch)]
    # A short rest would be a chunk of its own, mostly padding.
    chunk = [
        n if n < 1.5 * aim else int(aim)
        for n, aim in zip(shape[len(slices) :], patch, strict=True)
    ]
    chunk = _halved(chunk, CHUNK_BYTES // itemsize)
    block = _halved(chunk, BLOCK_BYTES // itemsize)
    together = max(1, CHUNK_BYTES // itemsize // math.prod(chunk))
    first = [1] * len(slices)
    if slices:
        first[-1] = min(slices[-1], together)
    return (*first, *chunk), (*(1 for _ in slices), *block)


def _halved(edges: Sequence[int], most: int) -> list[int]:
    """Halve the longest edge until no more than so many elements are inside."""
    halved = list(edges)
    while math.prod(halved) > most:
        longest = halved.index(max(halved))
        halved[longest] = -(-halved[longest] // 2)
    return halved


def precision_of(image: Any, precision: str, case_id: str) -> np.dtype[Any]:
    """Return the type in which an image is stored.

    Parameters
    ----------
    image : ndarray of float, or Windowed
        The image.
    precision : str
        One of `PRECISIONS`.
    case_id : str
        For messages.

    Returns
    -------
    dtype
        float16 or float32.

    Raises
    ------
    DatasetError
        If a value is not finite, or too large for the float16 that is asked for.
    """
    low, high = _range(image)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DatasetError(
            f"case {case_id}: its image holds values that are not finite (NaN or "
            "infinite). `autoseg check` names the files; correct them."
        )
    largest = max(-low, high)
    if precision == "auto":
        precision = "float16" if largest <= LARGEST_HALF else "float32"
    if precision == "float16" and largest > float(np.finfo(np.float16).max):
        raise DatasetError(
            f"case {case_id}: its image reaches {largest:g}, beyond float16. Use "
            "--precision auto or float32."
        )
    return np.dtype(precision)


def smallest(annotation: Any) -> np.dtype[Any]:
    """Return the smallest signed type that holds an annotation."""
    low, high = _range(annotation)
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.int64)


def _range(array: Any) -> tuple[float, float]:
    """Return the smallest and the largest number, looked at part by part."""
    if not array.size:
        return 0.0, 0.0
    ends = [(float(part.min()), float(part.max())) for part in _parts(array)]
    lows, highs = zip(*ends, strict=True)
    return float(np.min(lows)), float(np.max(highs))  # NaN, if there is one


def _parts(array: Any) -> Iterator[NDArray[Any]]:
    """Yield an array part by part: rows, or rows of what is in a row."""
    if array.ndim > 1 and array.size > LARGEST_ROW * len(array):
        for row in array:
            yield from _parts(row)
        return
    for _, rows in in_rows(array):
        yield rows
