"""Label maps: voxels whose class is not probable enough become ``ignore``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.formats.base import find_format
from autoseg.predict.job import Job
from autoseg.predict.readouts.ensemble import open_outputs
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.spec.dataset import Dataset
from autoseg.tasks.base import Task
from autoseg.train.teach.kinds import TEACH_KINDS
from autoseg.train.teach.kinds.base import IGNORE, TeachKind

Array = NDArray[Any]


@TEACH_KINDS.register
class TeachLabels(TeachKind):
    """The probability is that of the label in the file: of regions the least one."""

    needs_outputs = True

    def __init__(self, task: Task, dataset: Dataset, sure: float) -> None:
        super().__init__(task, dataset, sure)
        if task.pointwise is None:
            raise UsageError(
                "the model does not decide voxel by voxel, so its predictions have no "
                "probabilities to choose by."
            )
        self.ignored = _ignored(dataset.raw["labels"])

    def described(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {**raw, "labels": {**raw["labels"], IGNORE: self.ignored}}

    def annotate(self, job: Job, folder: Path) -> tuple[Path, float] | None:
        format = find_format(job.output)
        labels, geometry = format.read_labels(
            job.output, spacing=self.dataset.spacing, unit=self.dataset.unit
        )
        labels = np.array(labels)
        outputs = open_outputs(job.probabilities("b2nd"))
        foreground = known = 0
        for number in range(labels.shape[0]):
            row = labels[number : number + 1]
            inner = self.task.read(row)
            sure = self._probability(outputs[:, number : number + 1], inner)
            sure = sure >= self.sure * LEVELS
            known += int(sure.sum())
            foreground += int((sure & (inner > 0)).sum())
            labels = _holding(labels, self.ignored)
            labels[number : number + 1][~sure] = self.ignored
        if not foreground:
            return None
        target = folder / job.output.name
        format.write_labels(target, labels, geometry)
        return target, known / labels.size

    def _probability(self, outputs: Array, inner: Array) -> Array:
        """Return how probable labels are, (*S), of outputs (K, *S) in 8 bits."""
        head = self.task.voxel_head
        if head.activation == "softmax":
            there = np.maximum(inner, 0).astype(np.int64)[None]
            found: Array = np.take_along_axis(outputs, there, axis=0)[0]
            return found
        least = np.full(inner.shape, LEVELS, np.uint8)
        for channel, name in zip(outputs, self.task.classes, strict=True):
            inside = np.isin(inner, self.task.members(name))
            least = np.minimum(least, np.where(inside, channel, LEVELS - channel))
        return least


def _holding(labels: Array, value: int) -> Array:
    """Return labels in a type that also holds a value."""
    return labels.astype(np.result_type(labels.dtype, np.min_scalar_type(value)))


def _ignored(labels: Mapping[str, Any]) -> int:
    """Return the value of ``ignore``: that which there is, or the next one."""
    if IGNORE in labels:
        return int(labels[IGNORE])
    listed = [v if isinstance(v, (list, tuple)) else [v] for v in labels.values()]
    return 1 + max(int(value) for values in listed for value in values)
