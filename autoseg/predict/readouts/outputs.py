"""Read-outs of kinds that are decoded from outputs, and written as label maps.

Letters: K outputs of all heads, S network's grid, C channels of a head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.formats.base import find_format
from autoseg.predict.readouts.base import Readout
from autoseg.predict.readouts.sight import Sight
from autoseg.predict.readouts.uncertainty import Doubt
from autoseg.predict.windows.window import counted, predict_outputs
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

Array = NDArray[Any]


class Reader(ABC):
    """Takes the finished outputs of an image, some rows after the other."""

    @abstractmethod
    def take(self, block: Any) -> None:
        """Take the next rows; the block is overwritten afterwards.

        Parameters
        ----------
        block : Block
            Or whatever else `OutputReadout.predicted` yields.
        """

    @abstractmethod
    def result(self) -> Any:
        """Return what `Readout.look` does, once all rows were taken."""


class OutputReadout(Readout):
    """Reads a kind of annotation out of the mean outputs of windows, mirrors and folds.

    Predictions are label maps in files.
    """

    @abstractmethod
    def reader(self, sight: Sight) -> Reader:
        """Return what reads the outputs for an image."""

    def predicted(self, sight: Sight, progress: Callable[[int], None]) -> Iterator[Any]:
        """Return what the networks say about an image, part by part.

        Parameters
        ----------
        sight : Sight
            The image.
        progress : callable
            Told how many windows were predicted since it was last called.
        """
        array = sight.prepared.array
        return predict_outputs(sight.networks, array, sight.windows, progress)

    def look(self, sight: Sight) -> Any:
        windows, doubt = sight.windows, sight.doubt
        shape = sight.prepared.array.shape[1:]
        count = counted(sight.progress, windows.grid(shape).count)
        reader = self.reader(sight)
        if windows.doubted:
            doubt = doubt or Doubt()
            doubt.open(shape)
        for block in self.predicted(sight, count):
            if windows.doubted and doubt is not None:
                block = doubt.take(block)
            reader.take(block)
        found = reader.result()
        if doubt is not None:
            doubt.place(sight.prepared.placement, self.model.settings.resampling)
        return found

    def read(self, file: Path, geometry: Geometry) -> Any:
        dataset = self.model.describe()
        labels, _ = find_format(file, dataset.format).read_labels(
            file, spacing=dataset.spacing, unit=dataset.unit
        )
        return labels

    @classmethod
    def save(cls, path: Path, annotation: Any, geometry: Geometry) -> None:
        find_format(path).write_labels(path, np.asarray(annotation), geometry)


def by_head(values: Array, task: Task) -> dict[str, Array]:
    """Return outputs (K, *S) of all heads as those of each, (C, *S)."""
    ends = np.cumsum([head.channels for head in task.heads])[:-1]
    parts = np.split(values, ends)
    return {head.name: p for head, p in zip(task.heads, parts, strict=True)}
