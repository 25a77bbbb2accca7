"""Label maps: from finished outputs to the class of each voxel.

Letters: K outputs of all heads, N cropped grid, G image's grid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.datasets.layouts.derivatives import (
    files_of_derivatives,
    write_description,
)
from autoseg.formats.base import find_format
from autoseg.formats.names import ENDING as SEGMENTS
from autoseg.formats.names import name_segments
from autoseg.geometry.argmax import resample_argmax
from autoseg.geometry.mapped import in_rows, is_mapped, let_go, zeros
from autoseg.metrics.calibration import Calibration
from autoseg.model.dense_crf import refined
from autoseg.predict.job import Job
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._rows import Grids, Stream, Whole, join
from autoseg.predict.readouts.ensemble import apart, decide, hand_on, open_outputs
from autoseg.predict.readouts.outputs import OutputReadout, Reader
from autoseg.predict.readouts.probabilities import open_sink
from autoseg.predict.readouts.sight import Opinion, Sight, Sink, row_step
from autoseg.predict.readouts.types import (
    BIDS,
    NIFTI,
    files_of_types,
    main_type,
    maker_of,
    root_of,
    write_types,
)
from autoseg.predict.readouts.uncertainty import Doubt, doubt_file
from autoseg.predict.windows.canvas import Canvas
from autoseg.predict.windows.window import Block
from autoseg.preprocess.placement import Placement
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.head import Head
from autoseg.spec.image import Geometry, Image
from autoseg.tasks.base import Pointwise, Task

Array = NDArray[Any]


@READOUTS.register
class Labels(OutputReadout):
    """An integer for each voxel.

    A task that decides by single voxels (`Task.pointwise`) never has all outputs at
    once: rows are decided as they are finished, and models are averaged by files of
    outputs. With several opinions about each voxel, it is known where they disagree.
    """

    file_option = "label_files"

    @classmethod
    def holds(cls, annotation: Any) -> bool:
        return isinstance(annotation, np.ndarray)

    @property
    def outputs(self) -> int:
        return super().outputs + self.options.uncertainty

    @property
    def can_doubt(self) -> bool:
        return self.task.pointwise is not None

    @property
    def doubted(self) -> tuple[Head, ...]:
        if not self.options.uncertainty or self.task.pointwise is None:
            return ()
        return tuple(self.task.heads)

    def new_doubt(self) -> Doubt | None:
        return None if self.task.pointwise is None else Doubt()

    def reader(self, sight: Sight) -> Reader:
        grids = Grids(
            heads=tuple(self.task.heads),
            resampling=self.model.settings.resampling,
            placement=sight.prepared.placement,
            exact=self.options.exact,
            exported=sight.windows.exported,
        )
        if sight.sink is not None:
            sight.sink.open(grids.placement)
        pointwise = self.task.pointwise
        if pointwise is None:
            return _ByImage(self.task, grids, sight.sink)
        if grids.streams:
            return _ByRow(self.task, grids, sight.sink, pointwise)
        return _ByHead(self.task, grids, sight.sink, pointwise)

    @contextmanager
    def opinion(self, file: Path) -> Iterator[Opinion]:
        path = file.with_suffix(".b2nd")
        with open_sink(path, "b2nd", self.task) as sink:
            yield Opinion(file=path, sink=sink, doubt=Doubt())

    def together(
        self,
        opinions: Sequence[Opinion],
        image: Image,
        sink: Sink | None,
        doubt: Doubt | None,
    ) -> Array:
        arrays = [open_outputs(one.file) for one in opinions if one.file is not None]
        if doubt is not None:
            maps = [one.doubt.map for one in opinions if one.doubt is not None]
            doubt.map = np.mean(maps, axis=0) + apart(arrays)
        if sink is not None:
            hand_on(arrays, image.geometry, sink)
        rules = self.model.postprocessing
        if rules.crf is not None:
            arrays = [refined(arrays, image.array, image.geometry.spacing, rules.crf)]
        inner = decide(arrays, self.task, rules.thresholds)
        return np.asarray(self.task.write(inner))

    def calibrated(self, sink: Sink) -> Sink:
        calibration = self.model.calibration
        if calibration is None or self.task.pointwise is None:
            return sink
        return _Softened(sink, tuple(self.task.heads), calibration)

    def finish(self, found: Any, geometry: Geometry, doubt: Doubt | None) -> Array:
        rules = self.model.postprocessing
        if doubt is None and not rules.classes:
            return np.asarray(found)
        if doubt is None and is_mapped(found):
            return rules.finish_in_file(found, self.task, geometry.spacing)
        inner = rules.finish(self.task.read(found), self.task, geometry.spacing)
        if doubt is not None:
            doubt.judge(inner > 0)
        return np.asarray(self.task.write(inner))

    def write(
        self,
        found: Any,
        job: Job,
        geometry: Geometry,
        image: Callable[[], Image],
        files: Collection[str] = (),
    ) -> None:
        labels = np.asarray(found)
        write_types(labels, job, files, self.model, self.task)
        if main_type(files) not in (None, NIFTI, BIDS):
            return
        format = find_format(job.output, self.model.describe().format)
        format.write_labels(job.output, labels, geometry)
        names = self.task.value_names
        if names and job.output.name.lower().endswith(SEGMENTS):
            looks = looks_of(names.values(), self.model.dataset)
            name_segments(job.output, names, looks)
        elif names:
            looks = looks_of(names.values(), self.model.dataset)
            colors = {name: look.color for name, look in looks.items()}
            format.name_labels(job.output, names, colors)

    def check_files(self, files: Collection[str], parts: int) -> None:
        main_type(files)

    def files_of_all(self, jobs: Sequence[Job], files: Collection[str]) -> list[Path]:
        return files_of_derivatives(root_of(jobs[0])) if BIDS in files and jobs else []

    def write_all(self, jobs: Sequence[Job], files: Collection[str]) -> None:
        if BIDS not in files or not jobs:
            return
        names, maker = self.task.value_names, maker_of(self.model)
        write_description(
            root_of(jobs[0]),
            names,
            looks_of(names.values(), self.model.dataset),
            {"Name": maker.algorithm, "Version": maker.version},
        )

    def files_of(self, job: Job, files: Collection[str]) -> list[Path]:
        found = list(files_of_types(job, files).values())
        if not self.doubted:
            return found
        format = find_format(job.output, self.model.describe().format)
        return [*found, doubt_file(job, format.probabilities_ending)]


class _Softened:
    """Gives outputs on with a calibration's temperatures.

    Parameters
    ----------
    sink : Sink
        Takes them.
    heads : tuple of Head
        Of the task.
    calibration : Calibration
        Of the model.
    """

    def __init__(
        self, sink: Sink, heads: tuple[Head, ...], calibration: Calibration
    ) -> None:
        self._sink, self._heads, self._calibration = sink, heads, calibration
        self.alone = sink.alone

    @property
    def every(self) -> int:
        """As the sink says."""
        return row_step(self._sink)

    def open(self, placement: Placement) -> None:
        """Open the sink."""
        self._sink.open(placement)

    def put(self, outputs: Array, axis: int, start: int) -> None:
        """Take rows, and give them on."""
        softened = self._calibration.soften(outputs, self._heads)
        self._sink.put(softened, axis, start)


class _Painter(Reader):
    """Puts what a voxel is where it belongs in the image."""

    def __init__(self, task: Task, grids: Grids, sink: Sink | None) -> None:
        self.task, self.grids, self.sink = task, grids, sink
        outside = np.asarray(task.write(np.zeros(1, np.int16)))
        shape = grids.placement.geometry.shape
        self._labels = _filled(shape, outside[0])
        self.canvas = Canvas(self._labels, grids.placement, task.write)

    def result(self) -> Array:
        return self._labels


def _filled(shape: Sequence[int], value: Any) -> Array:
    """Return a label map of one value; in a file if it is large."""
    labels = zeros(shape, value.dtype)
    if value:
        for _, rows in in_rows(labels):
            rows[...] = value
    return labels


class _ByRow(_Painter):
    """Decides row by row, with a running maximum over heads."""

    def __init__(
        self, task: Task, grids: Grids, sink: Sink | None, pointwise: Pointwise
    ) -> None:
        super().__init__(task, grids, sink)
        self._stream, self._painted = Stream(grids), pointwise.painted

    def take(self, block: Block) -> None:
        for resampler, ready in self._stream.take(block):
            inner = resampler.decide(*ready, self._painted)
            self.canvas.put(inner, resampler.axis, ready[2])
            let_go(self._labels)
            if self.sink is not None:
                for rows in self._stream.activated(
                    resampler, ready, row_step(self.sink)
                ):
                    self.sink.put(*rows)


class _ByHead(_Painter):
    """Resamples one whole head after the other."""

    def __init__(
        self, task: Task, grids: Grids, sink: Sink | None, pointwise: Pointwise
    ) -> None:
        super().__init__(task, grids, sink)
        self._whole, self._painted = Whole(grids.placement.shape), pointwise.painted

    def take(self, block: Block) -> None:
        self._whole.take(block)

    def result(self) -> Array:
        grids, outputs = self.grids, self._whole.outputs
        if self.sink is not None:
            self._show(self.sink)
        inner = resample_argmax(
            (head.numpy() for head in outputs),
            grids.placement.cropped_shape,
            grids.placement.spacing,
            grids.placement.cropped_spacing,
            grids.resampling,
            painted=self._painted,
            exact=grids.exact,
        )
        self.canvas.put(inner, 0, 0)
        return super().result()

    def _show(self, sink: Sink) -> None:
        """Give activated outputs to a sink; of some rows, head after head."""
        grids, outputs = self.grids, self._whole.outputs
        every = row_step(sink)
        if every == 1:
            sink.put(join(grids.activate(grids.resample(outputs))), 0, 0)
            return
        rows = [grids.resample(head[None])[:, ::every] for head in outputs]
        some = join(grids.activate(torch.cat(rows)))
        for number in range(some.shape[1]):
            sink.put(some[:, number : number + 1], 0, number * every)


class _ByImage(Reader):
    """Decodes by a task that needs all outputs at once."""

    def __init__(self, task: Task, grids: Grids, sink: Sink | None) -> None:
        self.task, self.grids, self.sink = task, grids, sink
        self._whole = Whole(grids.placement.shape)

    def take(self, block: Block) -> None:
        self._whole.take(block)

    def result(self) -> Array:
        placement = self.grids.placement
        outputs = self.grids.activate(self.grids.resample(self._whole.outputs))
        if self.sink is not None:
            self.sink.put(join(outputs), 0, 0)
        whole = self.task.write(self.task.decode(outputs, placement.cropped_spacing))
        labels = zeros(placement.geometry.shape, whole.dtype)
        Canvas(labels, placement).put(whole, 0, 0)
        return labels
