"""Activated outputs of cases, kept so that they can be decoded more than once.

``CASE_outputs.b2nd`` is a compressed blosc2 array (K, *N) of float16 on the cropped
grid, which is exactly what decoding sees; ``CASE_outputs.json`` beside it says where
that grid lies in the image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import naming_full_disk, sweep_temporaries, temporary_of
from autoseg.predict.readouts._instances.decode import decode_kept
from autoseg.preprocess.placement import Placement
from autoseg.spec.instances import Instances
from autoseg.spec.json import dumps, load_object, write_text
from autoseg.tasks.base import Task

Array = NDArray[Any]

LEAST_ROOM = 2**16  # bytes of a file with nothing in it yet

CHUNK = (256, 1024)  # numbers along the last two axes of a compressed piece


class KeptOutputs:
    """A folder of outputs.

    Parameters
    ----------
    folder : Path
        Is made when something is kept.
    task : Task
        Whose heads were predicted.
    """

    def __init__(self, folder: Path, task: Task) -> None:
        self.folder = folder
        self.task = task
        sweep_temporaries(folder)

    def has(self, case_id: str, since: Path) -> bool:
        """Return whether a case is kept, by a model that is no older than its file."""
        file = self._file(case_id)
        return file.is_file() and file.stat().st_mtime_ns >= since.stat().st_mtime_ns

    def open(self, case_id: str) -> tuple[Any, Placement]:
        """Return the outputs of a case, (K, *N) to be sliced, and where they lie."""
        import blosc2

        file = self._file(case_id)
        side_car = file.with_suffix(".json")
        placement = Placement.from_json(load_object(side_car), str(side_car))
        return blosc2.open(str(file), mode="r"), placement

    def decode(self, case_id: str, task: Task) -> tuple[Instances, Placement]:
        """Decode a case as prediction does; the task may have other parameters."""
        array, placement = self.open(case_id)
        return decode_kept(array, task, placement), placement

    @contextmanager
    def sink(self, case_id: str) -> Iterator[_Sink]:
        """Give a sink for the outputs of a case; kept when all went well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(case_id)
        temporary = temporary_of(file)
        sink = _Sink(temporary, sum(head.channels for head in self.task.heads))
        try:
            yield sink
            if sink.placement is not None:
                write_text(file.with_suffix(".json"), dumps(sink.placement.to_json()))
                os.replace(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)

    def _file(self, case_id: str) -> Path:
        return self.folder / f"{case_id}_outputs.b2nd"


class _Sink:
    """Takes outputs, some rows at a time; see `readouts.sight.Sink`."""

    alone = True

    def __init__(self, path: Path, channels: int) -> None:
        self.placement: Placement | None = None
        self._path, self._channels = path, channels
        self._array: Any = None

    def open(self, placement: Placement) -> None:
        import blosc2

        self.placement = placement
        self._path.unlink(missing_ok=True)
        shape = (self._channels, *placement.cropped_shape)
        edges = [1] * (len(shape) - 2) + list(CHUNK)
        with naming_full_disk(self._path, LEAST_ROOM):
            self._array = blosc2.empty(
                shape,
                dtype=np.float16,
                urlpath=str(self._path),
                mode="w",
                chunks=[min(a, b) for a, b in zip(edges, shape, strict=True)],
                cparams={"codec": blosc2.Codec.LZ4, "clevel": 5},
            )

    def put(self, outputs: Array, axis: int, start: int) -> None:
        place = [slice(None)] * outputs.ndim
        place[1 + axis] = slice(start, start + outputs.shape[1 + axis])
        rows = np.ascontiguousarray(outputs.astype(np.float16))
        with naming_full_disk(self._path, rows.nbytes + LEAST_ROOM):
            self._array[tuple(place)] = rows
