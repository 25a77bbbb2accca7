"""Pages of TIFF files read by windows: only tiles and strips that they touch."""

from __future__ import annotations

import itertools
import math
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._tiff.content import Content
from autoseg.spec.arrays.windowed import Box

Array = NDArray[Any]

KEPT = 2**26  # bytes of unpacked segments that are kept: neighboring windows share them
WHOLE_BITS = (8, 16, 32, 64)
CONTIGUOUS = 1  # planar configuration: samples of a pixel side by side


class Segments:
    """An image in tiles or strips, as a source.

    Parameters
    ----------
    file : tifffile.TiffFile
        Open; it stays so as long as this lives.
    content : Content
        Of the file, for which `suits` is true.
    path : Path
        Where it is, for messages.
    """

    def __init__(self, file: Any, content: Content, path: Path) -> None:
        self._file, self._path = file, path
        self._keyframe = content.keyframe
        self._pages = _pages(content)
        self._kept: OrderedDict[tuple[int, int], Array] = OrderedDict()
        self._lock = threading.Lock()
        self.shape = content.shape
        self.dtype = np.dtype(content.keyframe.dtype).newbyteorder("=")
        self._lead = len(content.shape) - len(content.keyframe.shape)

    def read(self, box: Box) -> Array:
        """Return what is in a box, of its shape."""
        result = np.empty([part.stop - part.start for part in box], self.dtype)
        lead = box[: self._lead]
        ranges = (range(part.start, part.stop) for part in lead)
        for place in itertools.product(*ranges):
            number = 0
            for index, size in zip(place, self.shape, strict=False):
                number = number * size + index
            inner = tuple(i - p.start for i, p in zip(place, lead, strict=True))
            self._read_page(number, box[self._lead :], result[inner])
        return result

    def let_go(self) -> None:
        """Forget what was unpacked."""
        with self._lock:
            self._kept.clear()

    def _read_page(self, number: int, box: Box, result: Array) -> None:
        rows, columns = box[:2]
        high, wide = _segment_shape(self._keyframe)
        across = -(-self._keyframe.imagewidth // wide)
        for y in range(rows.start // high, -(-rows.stop // high)):
            for x in range(columns.start // wide, -(-columns.stop // wide)):
                segment = self._segment(number, y * across + x)
                top, left = y * high, x * wide
                low_y, low_x = max(rows.start, top), max(columns.start, left)
                end_y = min(rows.stop, top + segment.shape[0])
                end_x = min(columns.stop, left + segment.shape[1])
                part = segment[low_y - top : end_y - top, low_x - left : end_x - left]
                if len(box) == 3:
                    part = part[..., box[2]]
                else:
                    part = part[..., 0]
                there = slice(low_y - rows.start, end_y - rows.start)
                along = slice(low_x - columns.start, end_x - columns.start)
                result[there, along] = part

    def _segment(self, number: int, index: int) -> Array:
        """Return a tile or strip as (rows, columns, samples)."""
        key = number, index
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        page = self._pages[number]
        try:
            with self._lock:
                handle = self._file.filehandle
                handle.seek(page.dataoffsets[index])
                packed = handle.read(page.databytecounts[index])
            found, _, shape = self._keyframe.decode(
                packed or None, index, jpegtables=page.jpegtables
            )
        except Exception as error:  # whatever a codec may raise
            raise FormatError(
                f"{self._path} is damaged ({error}). Get or write it again."
            ) from None
        if found is None:  # a segment that was never written
            found = np.zeros(shape, self.dtype)
        segment: Array = found[0, : shape[1], : shape[2]]
        with self._lock:
            self._kept[key] = segment
            most = max(1, KEPT // max(1, segment.nbytes))
            while len(self._kept) > most:
                self._kept.popitem(last=False)
        return segment


def suits(content: Content) -> bool:
    """Return whether `Segments` can read an image."""
    keyframe = content.keyframe
    return bool(
        keyframe.imagedepth == 1
        and keyframe.bitspersample in WHOLE_BITS
        and np.dtype(keyframe.dtype).kind in "iuf"
        and (keyframe.planarconfig == CONTIGUOUS or keyframe.samplesperpixel == 1)
        and keyframe.shape[:2] == (keyframe.imagelength, keyframe.imagewidth)
        and None not in (pages := _pages(content))
        and len(pages) * math.prod(keyframe.shape) == math.prod(content.shape)
    )


def _pages(content: Content) -> list[Any]:
    found: list[Any] = []
    for part in content.parts:
        found += list(part.pages) if hasattr(part, "pages") else [part]
    return found


def _segment_shape(keyframe: Any) -> tuple[int, int]:
    """Return rows and columns of a tile or a strip."""
    if keyframe.is_tiled:
        return int(keyframe.tilelength), int(keyframe.tilewidth)
    rows = min(int(keyframe.rowsperstrip), int(keyframe.imagelength))
    return rows, int(keyframe.imagewidth)
