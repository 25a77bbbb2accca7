"""Files of activated outputs, written some rows at a time.

``CASE_probabilities.b2nd`` is a compressed blosc2 array (K, *S) of uint8 in the image's
own grid: output = value / 255. ``CASE_probabilities.json`` beside it says so, names the
heads and holds the geometry. ``CASE.npz`` is what nnU-Net v2 writes: float32, key
``probabilities``.
"""

from __future__ import annotations

import math
import os
import shutil
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import naming_full_disk, reserve, temporary_of
from autoseg.predict.windows.canvas import Canvas
from autoseg.preprocess.placement import Placement
from autoseg.spec.json import dumps, write_text
from autoseg.tasks.base import Task

Array = NDArray[Any]

LEVELS = 255  # of uint8: outputs are kept to 1/510
IN_MEMORY = (
    2**27
)  # bytes of one image's outputs that are compressed at the end, at once


@contextmanager
def open_sink(path: Path, kind: str, task: Task) -> Iterator[OutputFile]:
    """Give a file to put activated outputs into; it is there when all went well.

    Parameters
    ----------
    path : Path
        The file.
    kind : str
        ``"b2nd"`` or ``"npz"``.
    task : Task
        Names the channels.

    Yields
    ------
    OutputFile
        To hand to `Export`.
    """
    kinds: dict[str, type[OutputFile]] = {"b2nd": QuantizedFile, "npz": NpzFile}
    path.parent.mkdir(parents=True, exist_ok=True)
    file = kinds[kind](path, task)
    try:
        yield file
        file.finish()
    finally:
        file.clean()


class OutputFile(ABC):
    """Activated outputs of all heads in the image's own grid.

    Parameters
    ----------
    path : Path
        Where they go in the end.
    task : Task
        Names the channels.
    """

    alone = False

    def __init__(self, path: Path, task: Task) -> None:
        self.path = path
        self.task = task
        self.temporary = temporary_of(path)
        self._canvas: Canvas | None = None
        self._placement: Placement | None = None

    def open(self, placement: Placement) -> None:
        """Make the array: background everywhere."""
        channels = sum(head.channels for head in self.task.heads)
        shape = (channels, *placement.geometry.shape)
        self._placement = placement
        self._canvas = Canvas(self.make(shape), placement, self.convert)

    def put(self, outputs: Array, axis: int, start: int) -> None:
        """Take rows of the cropped grid, in the plan's order of axes."""
        if self._canvas is not None:
            with naming_full_disk(self.temporary, outputs.size):
                self._canvas.put(outputs, axis, start)

    @property
    def background(self) -> list[float]:
        """Activated outputs outside the image's nonzero region."""
        values: list[float] = []
        for head in self.task.heads:
            first = 1.0 if head.activation == "softmax" else 0.0
            values += [first, *[0.0] * (head.channels - 1)]
        return values

    @abstractmethod
    def make(self, shape: tuple[int, ...]) -> Any:
        """Return an array of this shape that rows can be put into."""

    def convert(self, outputs: Array) -> Array:
        """Return outputs in the number type of the file."""
        return outputs

    @abstractmethod
    def finish(self) -> None:
        """Put the complete file in its place."""

    def clean(self) -> None:
        """Remove what is left of an incomplete file."""
        self.temporary.unlink(missing_ok=True)


class QuantizedFile(OutputFile):
    """uint8 in a compressed blosc2 array, with a JSON file beside it."""

    def make(self, shape: tuple[int, ...]) -> Any:
        self.clean()
        if math.prod(shape) <= IN_MEMORY:
            levels = np.rint(np.multiply(self.background, LEVELS)).astype(np.uint8)
            whole = np.empty(shape, np.uint8)
            whole[:] = levels.reshape(-1, *[1] * (len(shape) - 1))
            return whole
        import blosc2

        with naming_full_disk(self.temporary, math.prod(shape)):
            array = blosc2.zeros(shape, dtype=np.uint8, **self._storage)
            for k, value in enumerate(self.background):
                if value:
                    row = np.full(shape[2:], round(value * LEVELS), np.uint8)
                    for number in range(shape[1]):
                        array[k, number] = row
        return array

    @property
    def _storage(self) -> dict[str, Any]:
        import blosc2

        return {
            "urlpath": str(self.temporary),
            "mode": "w",
            "cparams": {"codec": blosc2.Codec.ZSTD, "clevel": 3},
        }

    def convert(self, outputs: Array) -> Array:
        result: Array = np.rint(outputs * LEVELS).astype(np.uint8)
        return result

    def finish(self) -> None:
        placement = self._placement
        if placement is None or self._canvas is None:
            return
        whole = self._canvas.target
        if isinstance(whole, np.ndarray):
            # Row by row into a compressed file takes as long as half the prediction.
            import blosc2

            with naming_full_disk(self.temporary, whole.nbytes):
                blosc2.asarray(whole, **self._storage)
        geometry = placement.geometry
        heads = {head.name: head.channels for head in self.task.heads}
        side_car = {
            "axes": "channel, then space, slowest axis first",
            "scale": 1 / LEVELS,
            "heads": heads,
            "activations": {h.name: h.activation for h in self.task.heads},
            "shape": geometry.shape,
            "spacing": geometry.spacing,
            "unit": geometry.unit,
            "origin": geometry.origin,
            "direction": geometry.direction,
        }
        write_text(self.path.with_suffix(".json"), dumps(side_car))
        os.replace(self.temporary, self.path)


class NpzFile(OutputFile):
    """float32 in a compressed NumPy archive, key ``probabilities``, as nnU-Net's."""

    def make(self, shape: tuple[int, ...]) -> Any:
        self.clean()
        array = np.lib.format.open_memmap(
            self.temporary, mode="w+", dtype=np.float32, shape=shape
        )
        # A file with holes takes no room; on a disk that is full when they are filled,
        # the process would be ended.
        with self.temporary.open("r+b") as file:
            size = self.temporary.stat().st_size
            reserve(file.fileno(), size, self.temporary)
        for output, value in zip(array, self.background, strict=True):
            if value:
                output[...] = value
        return array

    def finish(self) -> None:
        if self._canvas is None:
            return
        self._canvas.target.flush()
        packed = self.temporary.with_suffix(".1.tmp")  # swept as the other is
        try:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                member = archive.open("probabilities.npy", "w", force_zip64=True)
                with member, self.temporary.open("rb") as source:
                    shutil.copyfileobj(source, member, 2**22)
            os.replace(packed, self.path)
        finally:
            packed.unlink(missing_ok=True)
