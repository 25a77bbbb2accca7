"""What is measured of a data set, case by case, and kept until all of it is there.

The journal is a file for each case in ``fingerprint.partial/``, written as soon as the
case is measured, by whichever process. Pooling reads these files one after the other,
in the order of the case ids: memory does not grow with the number of cases, and nothing
depends on who was first.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autoseg.datasets.annotations import annotation_of, read_annotation
from autoseg.datasets.identity import (
    all_files,
    case_stamps,
    content_of,
    quick_stamp,
    short_hash,
)
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.errors import DatasetError
from autoseg.fingerprint.intensity import Sketch
from autoseg.fingerprint.outside import (
    Outside,
    groups_of,
    outside_of,
    outside_text,
)
from autoseg.fingerprint.shape import CaseShape, Shapes, measure_shape
from autoseg.fingerprint.sketches import must_be_finite, sketches_of
from autoseg.formats.base import read_image
from autoseg.geometry.crop import crop_box
from autoseg.geometry.mapped import held_bytes, keeping_to
from autoseg.geometry.orientation import turn_to
from autoseg.parallel import MemoryBudget, loaded_bytes, map_cases
from autoseg.spec.annotation import as_annotation
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.image import NONZERO
from autoseg.spec.json import to_json, write_text
from autoseg.tasks import TASKS, make_task
from autoseg.tasks.base import Task

MEASURES = 4  # raise it when what is measured of a case changes
# Bytes in work for each byte of an image in memory: the image, its annotation, the
# components of a class and the sorted foreground.
WORKING_SHARE = 6
BY_PARTS = 2**29  # bytes in work where an image is read part by part

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The measuring of one data set; its journal is a file for each case."""

    dataset: Dataset
    task: Choice
    folder: Path
    max_memory: float | None = None

    def stamps(self) -> dict[str, str]:
        """Return, for each case, what changes when anything it is made of changes."""
        settings = json.loads(self.settings)
        stamps = {}
        for case in self.dataset.training:
            text = json.dumps([settings, case_stamps(case)])
            stamps[case.id] = short_hash(text)
        return stamps

    @property
    def settings(self) -> str:
        """Return what decides how files are read and measured."""
        given = self.dataset
        read = (given.spacing, given.unit, given.format, given.channel_names)
        # What is usual is not written: stamps of before hold.
        crop = () if given.crop == NONZERO else (given.crop,)
        return json.dumps(to_json((MEASURES, self.task, *read, *crop)))

    def sources(self, stamps: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Return what is written down of each case; files are read if need be."""
        return {
            case.id: {
                "stamp": stamps[case.id],
                "settings": short_hash(self.settings),
                "quick": quick_stamp(case),
                "content": self._content(case, stamps),
            }
            for case in self.dataset.training
        }

    def _content(self, case: Case, stamps: Mapping[str, str]) -> str:
        """Return the hash of a case's files, from the journal of whoever read them."""
        found = self.entry(case.id, stamps) or {}
        return str(found.get("content") or content_of(case))

    def is_moved(self, before: Mapping[str, Any], stamps: Mapping[str, str]) -> bool:
        """Return whether files have other times or places, but the same content."""
        settings = short_hash(self.settings)
        return all(
            stamp_of(before[case.id]) == stamps[case.id]
            or (
                isinstance(before[case.id], dict)
                and before[case.id].get("settings") == settings
                and before[case.id].get("content") == content_of(case)
            )
            for case in self.dataset.training
        )

    def entry(self, case_id: str, stamps: Mapping[str, str]) -> dict[str, Any] | None:
        """Return what the journal says about a case, unless its files have changed."""
        found = _read_json(self._path(case_id))
        if found is None or found.get("stamp") != stamps[case_id]:
            return None
        return found

    def missing(self, cases: Sequence[Case], stamps: Mapping[str, str]) -> list[Case]:
        """Return which cases the journal does not have."""
        return [case for case in cases if self.entry(case.id, stamps) is None]

    def measure_all(
        self, cases: Sequence[Case], stamps: Mapping[str, str], workers: int | None
    ) -> None:
        """Measure what the journal does not have of some cases."""
        waiting = self.missing(cases, stamps)
        if len(waiting) < len(cases):
            log.info(
                "fingerprint: going on after %d cases that were measured.",
                len(cases) - len(waiting),
            )
        memory = MemoryBudget.of(self.max_memory)
        map_cases(
            partial(self.without_cases().measure, memory=memory),
            [(case, stamps[case.id]) for case in waiting],
            stage="fingerprint",
            workers=workers,
            name=lambda item: item[0].id,
        )

    def without_cases(self) -> Survey:
        """Return what is needed to measure a case, and is sent along with each."""
        return replace(self, dataset=replace(self.dataset, training=(), test=()))

    def measure(self, item: tuple[Case, str], memory: MemoryBudget) -> None:
        """Measure one case, which has this stamp, and write it to the journal."""
        case, stamp = item
        task = make_task(self.task)
        needed = WORKING_SHARE * loaded_bytes(all_files(case))
        with keeping_to(memory.total), memory.take(needed) as share:
            # Before reading: if it changes from now on, that is seen.
            content = content_of(case)
            image = read_image(case, self.dataset, lazily=True)
            share.correct(WORKING_SHARE * held_bytes(image.array) or BY_PARTS)
            must_be_finite(image)
            annotation = annotation_of(case, self.dataset, task, image.geometry)
            region = as_annotation(annotation).region(task.ignore_index)
            # What has no inside, as points, is measured wherever the image is not 0.
            sketches, blank = sketches_of(image.array, region)
            box = crop_box(image.array, self.dataset.crop)
            entry = {
                "stamp": stamp,
                "content": content,
                "shape": measure_shape(image, box).to_json(),
                "outside": outside_of(as_annotation(annotation), box, groups_of(task)),
                "blank": region is None and blank,
                "intensities": [sketch.to_json() for sketch in sketches],
                "annotation": task.measure(annotation, image.geometry.spacing),
            }
        write_text(self._path(case.id), json.dumps(to_json(entry)))

    def pool(self, stamps: Mapping[str, str]) -> Fingerprint:
        """Return the fingerprint, from the journal."""
        cases = self.dataset.training
        shapes = Shapes(len(cases))
        sketches = [Sketch() for _ in self.dataset.channel_names]
        outside: dict[str, Outside] = {}
        blank = True
        for case in cases:
            entry = self._measured(case.id, stamps)
            outside[case.id] = entry.get("outside", {})
            blank = blank and entry.get("blank", False)
            shapes.add(case.id, CaseShape.from_json(entry["shape"], case.id))
            sketches = [
                sketch.merge(Sketch.from_json(raw))
                for sketch, raw in zip(sketches, entry["intensities"], strict=True)
            ]
        extents = shapes.pooled()
        if not any(sketch.cases for sketch in sketches):
            raise DatasetError(self._why_nothing(blank))
        said = outside_text(outside, len(cases))
        if said is not None:
            log.warning("%s %s", *said)
        measured = TASKS[self.task.name].pool(
            _Measurements(self, stamps, extents.orientation)
        )
        _must_be_of_use(self.dataset, make_task(self.task), measured)
        return Fingerprint(
            dataset=self.dataset.name,
            unit=extents.unit,
            channel_names=self.dataset.channel_names,
            num_cases=len(cases),
            shapes=extents.shapes,
            spacings=extents.spacings,
            relative_size_after_crop=extents.relative_size,
            orientation=extents.orientation,
            orientations=extents.orientations,
            intensities=tuple(sketch.summary() for sketch in sketches),
            annotation=measured,
            task=self.task,
            crop=self.dataset.crop,
        )

    def _why_nothing(self, blank: bool) -> str:
        """Return why there is nothing to learn: the images, or the annotations."""
        if blank:
            return (
                f"{self.dataset.folder / 'imagesTr'}: every image is 0 everywhere, so "
                "there is nothing to see where the points are. Put the right images "
                "there."
            )
        ignored = make_task(self.task).ignore_index is not None
        return (
            f"{self.dataset.folder}: no annotation of a training case has a voxel of "
            "any class, so there is nothing to learn. Do the values in the files match "
            f"those in dataset.json{', and is not all `ignore`' if ignored else ''}?"
        )

    def tried(self, made: Fingerprint, workers: int | None) -> Fingerprint:
        """Return the fingerprint with what the task found by trying some cases."""
        kind = TASKS[self.task.name]
        if not kind.trials:
            return made
        cases = self.dataset.training
        step = max(1, math.ceil(len(cases) / kind.trials))
        found = map_cases(
            partial(
                self.without_cases().trial,
                measured=made.annotation,
                memory=MemoryBudget(),
            ),
            cases[::step],
            stage="try representations",
            workers=workers,
            name=lambda case: case.id,
        )
        extra = kind.pool_trials(list(found.values()))
        return replace(made, annotation={**made.annotation, **extra})

    def trial(
        self, case: Case, measured: Mapping[str, Any], memory: MemoryBudget
    ) -> dict[str, Any]:
        """Have the task try something on a case."""
        task = make_task(self.task)
        if case.annotation is None:
            raise DatasetError(f"case {case.id} has no annotation.")
        with memory.take(WORKING_SHARE * loaded_bytes(all_files(case))):
            # Outlines are drawn on the grid of their image, which the case says.
            alone = replace(self.dataset, training=(case,))
            annotation, geometry = read_annotation(
                case.annotation, alone, task, case_id=case.id
            )
            return dict(task.trial(annotation, geometry.spacing, measured))

    def _measured(self, case_id: str, stamps: Mapping[str, str]) -> dict[str, Any]:
        entry = self.entry(case_id, stamps)
        if entry is None:
            raise DatasetError(
                f"{self._path(case_id)} vanished while it was needed. Is another "
                "`autoseg fingerprint` running on this data set? Run it again."
            )
        return entry

    def _path(self, case_id: str) -> Path:
        return self.folder / f"{quote(case_id, safe=' ')}.json"


class _Measurements(Sequence[Mapping[str, Any]]):
    """What the task measured of each case, read when it is looked at.

    Measured is on the axes of the files; where these differ it is turned, as images
    will be.
    """

    def __init__(
        self, survey: Survey, stamps: Mapping[str, str], orientation: str | None
    ) -> None:
        self._survey = survey
        self._stamps = stamps
        self._orientation = orientation
        self._ids = list(stamps)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        entry = self._survey._measured(self._ids[index], self._stamps)
        measured = entry["annotation"]
        if self._orientation is None:
            return measured
        geometry = CaseShape.from_json(entry["shape"], self._ids[index]).geometry
        turn = turn_to(geometry, self._orientation)
        kind = TASKS[self._survey.task.name]
        return kind.turned(measured, turn.axes, turn.flips)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (self[i] for i in range(len(self)))


def _must_be_of_use(dataset: Dataset, task: Task, measured: Mapping[str, Any]) -> None:
    """Raise DatasetError if training would be vain, as `check` says it."""
    vain = DATASET_KINDS[task.kind]().vain(dataset, task, measured)
    if vain is not None:
        raise DatasetError(f"{vain.file}: {vain.found} {vain.fix}")


def _read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None where there is no readable one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def stamp_of(entry: Any) -> Any:
    """Return the stamp in an entry; versions before wrote nothing else."""
    return entry.get("stamp") if isinstance(entry, dict) else entry
