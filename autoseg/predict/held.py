"""Large arrays that live in temporary files, and small ones that do not."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

IN_MEMORY = 2**28  # bytes of an array that is kept in memory
CHUNK = (256, 1024)  # numbers along the last two axes of a compressed piece


@contextmanager
def held_outputs(shape: Sequence[int]) -> Iterator[Any]:
    """Give an array for the outputs of a whole image.

    Parameters
    ----------
    shape : sequence of int
        (K, *S).

    Yields
    ------
    ndarray, or blosc2.NDArray
        float16, not yet filled; takes and gives slices. If large, compressed in a file
        that is gone afterwards. It is in the folder that ``TMPDIR`` names.
    """
    if 2 * math.prod(shape) <= IN_MEMORY:
        yield np.empty(tuple(shape), dtype=np.float16)
        return
    import blosc2

    edges = [1] * (len(shape) - 2) + list(CHUNK)
    with tempfile.TemporaryDirectory(prefix="autoseg-") as folder:
        yield blosc2.empty(
            tuple(shape),
            dtype=np.float16,
            urlpath=str(Path(folder) / "outputs.b2nd"),
            mode="w",
            chunks=[min(a, b) for a, b in zip(edges, shape, strict=True)],
            cparams={"codec": blosc2.Codec.LZ4, "clevel": 5},
        )


def held_labels(shape: Sequence[int]) -> Any:
    """Return zeros of int32; if many, in a file that is gone with the array.

    Parameters
    ----------
    shape : sequence of int
        S.

    Returns
    -------
    ndarray
        An ordinary array or a memory map.
    """
    if 4 * math.prod(shape) <= IN_MEMORY:
        return np.zeros(tuple(shape), dtype=np.int32)
    with tempfile.TemporaryFile(prefix="autoseg-") as file:
        return np.memmap(file, dtype=np.int32, mode="w+", shape=tuple(shape))
