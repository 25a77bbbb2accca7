"""Where the voxels of a file are, and how they are looked at without reading all.

What is stored as it is becomes a memory map of the file. What is packed is unpacked
once, into a temporary file without a name.
"""

from __future__ import annotations

import bz2
import logging
import math
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._in_files.packed import BEHIND, must_be_possible, too_much
from autoseg.geometry import mapped

Array = NDArray[Any]

PIECE = 2**22  # bytes unpacked at a time
RAW, ZLIB, BZIP2 = "raw", "zlib", "bzip2"
EITHER = zlib.MAX_WBITS | 32  # a head of gzip or of zlib

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """Numbers in a file, one behind the other.

    Parameters
    ----------
    path : Path
        The file.
    dtype : dtype
        With the byte order of the file.
    shape : tuple of int
        Slowest axis first.
    offset : int
        Bytes before the first number; of what is packed as a whole, once it is
        unpacked.
    packing : str
        ``"raw"``, ``"zlib"`` (also gzip) or ``"bzip2"``.
    packed_offset : int
        Bytes of the file before what is packed.
    """

    path: Path
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int = 0
    packing: str = RAW
    packed_offset: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return math.prod(self.shape) * self.dtype.itemsize

    def open(self) -> Array:
        """Return the numbers, not to be written to.

        Raises
        ------
        FormatError
            If the file is cut off or damaged.
        """
        if self.packing != RAW:
            return self._unpacked()
        there = self.path.stat().st_size
        needed = self.offset + self.nbytes
        if there < needed:
            raise self._cut_off(there, needed)
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)

    def _unpacked(self) -> Array:
        log.info(
            "%s is packed and too large for memory: it is unpacked once, into a "
            "temporary file of %.1f GB in %s.",
            self.path,
            self.nbytes / 1e9,
            tempfile.gettempdir(),
        )
        if self.packing == ZLIB:
            packed = self.path.stat().st_size - self.packed_offset
            must_be_possible(packed, self.offset + self.nbytes, self.path)
        whole = mapped.zeros(self.shape, self.dtype)
        target = whole.reshape(-1).view(np.uint8)
        skip, done, behind = self.offset, 0, 0
        for piece in self._pieces():
            values = np.frombuffer(piece, np.uint8)[skip:]
            behind += max(0, len(values) - (len(target) - done))
            if behind > BEHIND:
                raise too_much(self.path, self.offset + self.nbytes)
            skip = max(0, skip - len(piece))
            values = values[: len(target) - done]
            target[done : done + len(values)] = values
            done += len(values)
            mapped.let_go(target)
        if done < len(target):
            raise self._cut_off(self.offset - skip + done, self.offset + self.nbytes)
        return whole

    def _pieces(self) -> Iterator[bytes]:
        """Yield the unpacked bytes, to the end of the file, checksums looked at."""
        new: Callable[[], Any] = (
            bz2.BZ2Decompressor
            if self.packing == BZIP2
            else lambda: zlib.decompressobj(EITHER)
        )
        unpacker, begun = new(), False
        with open(self.path, "rb") as file:
            file.seek(self.packed_offset)
            try:
                while data := file.read(PIECE):
                    while data:
                        begun = True
                        yield from _bounded(unpacker, data)
                        if not unpacker.eof:
                            break
                        # Another stream may follow; zeros at the end mean nothing.
                        data = unpacker.unused_data.lstrip(b"\0")
                        unpacker, begun = new(), False
            except (zlib.error, OSError, ValueError) as error:
                raise FormatError(
                    f"{self.path} is damaged ({error}). Copy it again."
                ) from None
        if begun:
            there = self.path.stat().st_size
            raise FormatError(
                f"{self.path} is damaged (it is cut off after {there} bytes). Copy it "
                "again."
            )

    def _cut_off(self, there: int, needed: int) -> FormatError:
        return FormatError(
            f"{self.path} is cut off: {there} of {needed} bytes are there. Copy it "
            "again."
        )


def _bounded(unpacker: Any, data: bytes) -> Iterator[bytes]:
    """Yield what some packed bytes become, at most `PIECE` at a time."""
    while piece := unpacker.decompress(data, PIECE):
        yield piece
        if unpacker.eof:
            break
        data = getattr(unpacker, "unconsumed_tail", b"")  # bz2 keeps it itself
