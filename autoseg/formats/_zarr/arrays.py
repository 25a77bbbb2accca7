"""Arrays of Zarr as sources that are read by windows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._zarr.metadata import must_be_plain
from autoseg.spec.arrays.windowed import Box

Array = NDArray[Any]

HELP = 'OME-Zarr needs the package zarr: pip install "autoseg[micro]"'
WORDS = "Copy it again, or save it with a common compressor such as zstd."


def library() -> Any:
    """Import zarr.

    Raises
    ------
    FormatError
        If it is not there, or too old.
    """
    try:
        import zarr
    except ImportError:
        raise FormatError(f"{HELP}.") from None
    if int(zarr.__version__.split(".")[0]) < 3:
        raise FormatError(f"{HELP} (version 3; {zarr.__version__} is here).")
    return zarr


class Chunked:
    """An array in chunks, of which those are read that a window touches.

    Parameters
    ----------
    folder : Path
        Of the array.

    Raises
    ------
    FormatError
        If it cannot be opened, or holds no numbers.
    """

    def __init__(self, folder: Path) -> None:
        zarr = library()
        must_be_plain(folder)
        self._folder = folder
        try:
            store = zarr.storage.LocalStore(folder, read_only=True)
            self._array = zarr.open_array(store=store, mode="r")
            self.shape = tuple(int(size) for size in self._array.shape)
            self.dtype = np.dtype(self._array.dtype)
        except Exception as error:  # whatever a codec or a store may raise
            raise self._unreadable(error) from None
        if self.dtype.kind not in "biufc":
            raise FormatError(f"{folder} holds {self.dtype}, not numbers.")
        if not math.prod(self.shape):
            raise FormatError(f"{folder} has no voxels: its shape is {self.shape}.")

    def read(self, box: Box) -> Array:
        """Return what is in a box."""
        try:
            return np.asarray(self._array[box])
        except Exception as error:  # a damaged chunk, a codec that is missing
            raise self._unreadable(error) from None

    def let_go(self) -> None:
        """Nothing is kept."""

    def _unreadable(self, error: Exception) -> FormatError:
        return FormatError(f"{self._folder} cannot be read ({error}). {WORDS}")
