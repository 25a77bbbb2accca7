"""Instances: from activated outputs to objects, each with an id, a class and a score.

Letters: K outputs of all heads, N cropped grid.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.errors import FormatError, UsageError
from autoseg.formats.base import find_format
from autoseg.instancefiles.files import (
    KINDS,
    TABLE,
    check_kinds,
    write_instance_files,
)
from autoseg.instancefiles.overlaps import OVERLAPS
from autoseg.machine import give_large_arrays_pages
from autoseg.predict.job import Job
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._instances.by_window import (
    Objects,
    Window,
    in_image,
    predict_windows,
)
from autoseg.predict.readouts._instances.decode import HeldOutputs
from autoseg.predict.readouts._rows import Grids, Rows, Stream, Whole, join
from autoseg.predict.readouts.outputs import OutputReadout, Reader
from autoseg.predict.readouts.sight import Opinion, Sight, Sink
from autoseg.predict.readouts.uncertainty import Doubt, mean_score
from autoseg.predict.windows.window import Block
from autoseg.preprocess.placement import Placement
from autoseg.spec.foreign.looks import given_colors
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.tasks.base import Task
from autoseg.tasks.instance.decoding import decode_objects

logger = logging.getLogger(__name__)

Array = NDArray[Any]


@READOUTS.register
class InstanceReadout(OutputReadout):
    """A map of ids, and what is known of each.

    Decoding looks at outputs all around, so these are held; see
    `autoseg.predict.readouts.kept` for a sink that takes them in a prediction's place.
    """

    sizes = True
    file_option = "instance_files"

    @classmethod
    def holds(cls, annotation: Any) -> bool:
        return isinstance(annotation, Instances)

    def check_files(self, files: Collection[str], parts: int) -> None:
        check_kinds(files, self.model.plan.dim)

    @property
    def by_window(self) -> bool:
        """Whether objects are found window by window, for they may overlap."""
        return bool(self.task.meaning.representation.holds)  # type: ignore[attr-defined]

    @property
    def outputs(self) -> int:
        return 1 if self.by_window else super().outputs  # windows are forgotten

    def predicted(self, sight: Sight, progress: Callable[[int], None]) -> Iterator[Any]:
        if not self.by_window:
            return super().predicted(sight, progress)
        array = sight.prepared.array
        return predict_windows(sight.networks, array, sight.windows, progress)

    def reader(self, sight: Sight) -> Reader:
        if self.by_window:
            return self._window_reader(sight)
        task = self.task
        if sight.factor != 1:
            task = task.on_finer_grid(sight.factor**-self.model.settings.dim)
        return InstanceReader(task, self._grids(sight), sight.sink, sight.memory)

    def _window_reader(self, sight: Sight) -> WindowReader:
        if sight.sink is not None:
            name = self.task.decoding_name
            raise UsageError(
                f"Outputs of {name} stand for other objects in each window; there are "
                "none of the whole image that could be kept or averaged."
            )
        give_large_arrays_pages()
        meaning = self.task.meaning  # type: ignore[attr-defined]
        grids = self._grids(sight)
        objects = Objects(
            sight.windows.grid(sight.prepared.array.shape[1:]),
            len(sight.networks),
            lambda logits: decode_objects(
                meaning, grids.activate(logits), self.model.settings.spacing
            ),
            meaning.representation.same,
        )
        return WindowReader(objects, sight.prepared.placement)

    def _grids(self, sight: Sight) -> Grids:
        return Grids(
            heads=tuple(self.task.heads),
            resampling=self.model.settings.resampling,
            placement=sight.prepared.placement,
            exact=self.options.exact,
        )

    def together(
        self,
        opinions: Sequence[Opinion],
        image: Image,
        sink: Sink | None,
        doubt: Doubt | None,
    ) -> Any:
        raise UsageError("only tasks that decide voxel by voxel can be averaged.")

    def finish(self, found: Any, geometry: Geometry, doubt: Doubt | None) -> Any:
        curve = self.model.scores
        if curve is None or not isinstance(found, Instances):
            return found
        stuff = self.task.one_segment
        of = {i: s for i, s in found.scores.items() if found.class_of(i) not in stuff}
        return replace(found, scores={**found.scores, **curve.applied(of)})

    def given(self, found: Any) -> Any:
        return self.task.write(found)

    def quality(self, found: Any, doubt: Doubt | None) -> float | None:
        return mean_score(list(found.scores.values()))

    def write(
        self,
        found: Any,
        job: Job,
        geometry: Geometry,
        image: Callable[[], Image],
        files: Collection[str] = (),
    ) -> None:
        write_instance_files(
            job.output.parent,
            job.case.id,
            found,
            image(),  # intensities are those of the files
            classes=self.task.class_names,
            channels=self.model.channels,
            kinds=files,
            colors=given_colors(self.model.dataset),
        )
        ids = self.task.write(found)
        name = self.model.describe().format
        try:
            find_format(job.output, name).write_labels(job.output, ids, geometry)
        except FormatError as error:
            # Files of training may have no place for so many ids; a TIFF has.
            if job.spare is None:
                raise
            logger.warning("%s It is written to %s.", error, job.spare)
            find_format(job.spare, name).write_labels(job.spare, ids, geometry)
            job.output.unlink(missing_ok=True)  # of a run before: one has to count

    def files_of(self, job: Job, files: Collection[str]) -> list[Path]:
        folder, case = job.output.parent, job.case.id
        endings = [TABLE, OVERLAPS, *(KINDS[name] for name in files)]
        if len(self.task.class_names) > 1:
            endings.append(".json")
        found = [folder / f"{case}{ending}" for ending in endings]
        return found if job.spare is None else [*found, job.spare]

    @classmethod
    def save(cls, path: Path, annotation: Any, geometry: Geometry) -> None:
        super().save(path, annotation.labels, geometry)


class WindowReader(Reader):
    """Finds objects window by window.

    Parameters
    ----------
    objects : Objects
        Of the network's grid.
    placement : Placement
        Of the prepared image.
    """

    def __init__(self, objects: Objects, placement: Placement) -> None:
        self._objects, self._placement = objects, placement

    def take(self, block: Window) -> None:
        self._objects.take(block)

    def result(self) -> Instances:
        return in_image(self._objects.united(), self._placement)


class InstanceReader(Reader):
    """Holds activated outputs until all of them are there.

    Parameters
    ----------
    task : Task
        Decodes.
    grids : Grids
        Of the image.
    sink : Sink, optional
        Takes the outputs too; if it is alone, they are not decoded.
    memory : callable
        Returns the bytes that decoding may take.
    """

    def __init__(
        self,
        task: Task,
        grids: Grids,
        sink: Sink | None,
        memory: Callable[[], float],
    ) -> None:
        self._grids, self._memory, self._sink = grids, memory, sink
        self._takers: list[Any] = []
        self._held: HeldOutputs | None = None
        if sink is not None:
            sink.open(grids.placement)
            self._takers.append(sink)
        if sink is None or not sink.alone:
            self._held = HeldOutputs(task, grids.placement)
            self._takers.append(self._held)
        self._stream = Stream(grids) if grids.streams else None
        self._whole = Whole(grids.placement.shape)

    def take(self, block: Block) -> None:
        if self._stream is None:
            self._whole.take(block)
            return
        for resampler, ready in self._stream.take(block):
            for rows in self._stream.activated(resampler, ready):
                self._hand_on(rows)

    def result(self) -> Instances | None:
        if self._stream is None:
            logits = self._grids.resample(self._whole.outputs)
            self._hand_on((join(self._grids.activate(logits)), 0, 0))
        return None if self._held is None else self._held.decode(self._memory)

    def _hand_on(self, rows: Rows) -> None:
        for taker in self._takers:
            taker.put(*rows)
