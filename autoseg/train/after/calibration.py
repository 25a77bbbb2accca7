"""A sample of what held-out voxels are and what was said of them, kept by case.

``fold_N/calibration/CASE.npz`` holds ``logits`` (V, C), ``truth`` and ``weights`` (V);
see `autoseg.metrics.calibration`. Outputs are looked at while a case is predicted, some
rows of a large one only, so that no more has to be computed than is kept.

Letters: C outputs of the head, V voxels, N cropped grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.errors import AutosegError
from autoseg.metrics.calibration import LEAST, Evidence, Reservoir
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.predict.windows.canvas import cut_out
from autoseg.preprocess.placement import Placement
from autoseg.spec.annotation import LabelMap, labels_of
from autoseg.spec.head import Head
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

Array = NDArray[Any]

MOST_NUMBERS = 200_000  # logits that are kept of a case
MOST, FEWEST = 4000, 500  # voxels, however many outputs there are
SURE = 4  # for so many unsure voxels, one that is surely background is kept
COMPUTED = 2**24  # activated outputs that are made of a case for nothing else
MOST_LOGIT = -math.log(LEAST)
SEED = 20_170_806  # of the voxels that are drawn


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some voxels of a case: what was said, what is true, and how many each stands for.

    Parameters
    ----------
    logits : ndarray of float, shape (V, C)
        Of a softmax, logarithms of probabilities.
    truth : ndarray
        See `Evidence.of_voxels`.
    weights : ndarray of float32, shape (V,)
        For how many voxels each stands.
    """

    logits: Array
    truth: Array
    weights: Array

    def save(self, file: Path) -> None:
        """Write it; complete or not there."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomically(file) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                logits=self.logits.astype(np.float16),
                truth=self.truth,
                weights=self.weights,
            )

    @classmethod
    def load(cls, file: Path) -> Sample:
        """Read it; raises AutosegError if it is damaged."""
        try:
            with np.load(file, allow_pickle=False) as held:
                parts = {name: held[name] for name in ("logits", "truth", "weights")}
        except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
            raise AutosegError(
                f"{file} is damaged ({error}). Delete it; it is made anew when its "
                "fold is validated again."
            ) from None
        return cls(**parts)

    def evidence(self, head: Head) -> Evidence:
        """Return what the voxels say of temperatures."""
        return Evidence.of_voxels(self.logits, self.truth, self.weights, head)

    def probabilities(self, head: Head, temperature: float = 1.0) -> Array:
        """Return what was said, (V, C), at a temperature."""
        z = self.logits.astype(np.float64) / temperature
        if head.activation == "sigmoid":
            found: Array = 1 / (1 + np.exp(-z))
            return found
        z = np.exp(z - z.max(axis=1, keepdims=True))
        found = z / z.sum(axis=1, keepdims=True)
        return found


class Sampler:
    """Draws voxels from what is shown to it, the same ones whenever it is asked.

    Parameters
    ----------
    task : Task
        That decides voxel by voxel.
    unknown : sequence of str
        Classes that the annotation does not speak of.
    """

    def __init__(self, task: Task, unknown: Sequence[str] = ()) -> None:
        self.task, self.unknown = task, tuple(unknown)
        self.head = task.voxel_head
        size = MOST_NUMBERS // self.head.channels
        size = min(MOST, max(FEWEST, size))
        rng = np.random.default_rng(SEED)
        self._unsure, self._sure = Reservoir(size, rng), Reservoir(size // SURE, rng)

    @property
    def useful(self) -> bool:
        """Whether it is known of enough classes what is true."""
        if self.head.activation == "softmax":  # background may be what is unknown
            return not self.unknown
        return len(self.unknown) < self.head.channels

    def look(self, outputs: Array, labels: Array) -> None:
        """Take some voxels.

        Parameters
        ----------
        outputs : ndarray of float, shape (C, *N)
            Activated.
        labels : ndarray of int, shape (*N)
            Inner labels.
        """
        there: Array = np.asarray(labels).reshape(-1)
        said = outputs.reshape(len(outputs), -1).T
        if self.task.ignore_index is not None:
            counts = there != self.task.ignore_index
            there, said = there[counts], said[counts]
        if self.head.activation == "softmax":
            truth: Array = np.maximum(there, 0).astype(np.int16)
            found = said[np.arange(len(said)), truth]
            unsure = (found < 1 - 1 / LEVELS) | (truth > 0)
        else:
            truth = self._channels(there)
            apart = np.abs(np.nan_to_num(truth - said))
            unsure = (apart > 1 / LEVELS).any(axis=1) | (truth == 1).any(axis=1)
        self._unsure.put(said[unsure], truth[unsure])
        self._sure.put(said[~unsure], truth[~unsure])

    def _channels(self, labels: Array) -> Array:
        """Return what is true of each channel, (V, C): 1, 0, or NaN."""
        columns = [
            np.full(len(labels), np.nan)
            if name in self.unknown
            else np.isin(labels, self.task.members(name))
            for name in self.task.classes
        ]
        return np.stack(columns, axis=1).astype(np.float16)

    def sample(self) -> Sample:
        """Return what was drawn."""
        rows = [r.rows() for r in (self._unsure, self._sure) if r.count]
        said, truth, weights = map(np.concatenate, zip(*rows, strict=True))
        low = np.clip(said, LEAST, 1, dtype=np.float64)
        logits = np.log(low)
        if self.head.activation == "sigmoid":
            logits = logits - np.log(np.clip(1 - said.astype(np.float64), LEAST, 1))
            logits = np.clip(logits, -MOST_LOGIT, MOST_LOGIT)
        return Sample(logits=logits.astype(np.float16), truth=truth, weights=weights)


class SampleSink:
    """Takes activated outputs of a case; see `autoseg.predict.readouts.sight.Sink`.

    Parameters
    ----------
    task : Task
        That decides voxel by voxel.
    truth : callable
        Returns the annotation in the task's inner form, for the image's geometry.
    """

    alone = False

    def __init__(self, task: Task, truth: Callable[[Geometry], Any]) -> None:
        self.sampler: Sampler | None = None
        self.every = 1
        self._task, self._read = task, truth
        self._truth: Array = np.zeros(0)

    def open(self, placement: Placement) -> None:
        """Be told the grids, and choose how many rows to look at."""
        annotation = self._read(placement.geometry)
        unknown = annotation.unknown if isinstance(annotation, LabelMap) else ()
        self.sampler = Sampler(self._task, unknown)
        self._truth = cut_out(labels_of(annotation), placement)
        numbers = self.sampler.head.channels * math.prod(placement.cropped_shape)
        self.every = math.ceil(numbers / COMPUTED)

    def put(self, outputs: Array, axis: int, start: int) -> None:
        """Take rows of the cropped grid."""
        if self.sampler is None:
            raise ValueError("open it first")
        place = [slice(None)] * self._truth.ndim
        place[axis] = slice(start, start + outputs.shape[1 + axis])
        self.sampler.look(outputs, np.asarray(self._truth[tuple(place)]))


@contextmanager
def sampling(
    file: Path, task: Task, truth: Callable[[Geometry], Any]
) -> Iterator[SampleSink]:
    """Give a sink that leaves a sample in a file when all went well.

    Parameters
    ----------
    file : Path
        Ends in ``.npz``. It is not written where the annotation says too little.
    task, truth
        See `SampleSink`.
    """
    sink = SampleSink(task, truth)
    yield sink
    if sink.sampler is not None and sink.sampler.useful:
        sink.sampler.sample().save(file)


def sample_file(folder: Path, case_id: str) -> Path:
    """Return where the sample of a case is, in a folder of samples."""
    return folder / f"{case_id}.npz"
