"""Instances: a map of ids, a folder of masks, a file of objects, or one for all."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.files import list_files
from autoseg.datasets.instance_classes import (
    IGNORE,
    components_of,
    readable_classes,
    side_car_of,
    with_classes,
)
from autoseg.datasets.instance_files import is_many_files, needs_classes, read_many
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.base import DatasetKind
from autoseg.datasets.series.maps import image_of, read_map_on_image
from autoseg.datasets.vain import Vain, masks_for_ids, never_complete
from autoseg.errors import DatasetError
from autoseg.formats.base import is_folder_image
from autoseg.instancefiles.overlaps import OVERLAPS, with_overlaps, write_overlaps
from autoseg.instancefiles.readers.base import instance_endings
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.tasks.base import Task
from autoseg.tasks.instance.ids import whole_ids
from autoseg.tasks.instance.sketched import BOXES, POINTS, sketch_of, sketched

COMPONENTS = "components"  # key of dataset.json
MARKS = {BOXES: "box", POINTS: "point"}  # what files may have beside outlines
FOR_ALL = ("labelsTr.json", "annotations.json")  # of all images, in COCO's way


def overlaps_beside(path: Path) -> Path:
    """Return where a map of ids says more of objects that overlap, if any do."""
    side_car = side_car_of(path)
    return side_car.with_name(f"{side_car.name.removesuffix('.json')}{OVERLAPS}")


@DATASET_KINDS.register
class InstanceFiles(DatasetKind):
    """Instances of a case in one of many ways; what they are may stand beside it."""

    def corrected(self, annotation: Any, dataset: Dataset, task: Task) -> Any:
        whole = isinstance(annotation, Instances)
        return annotation if whole else super().corrected(annotation, dataset, task)

    def write(
        self,
        path: Path,
        annotation: Any,
        dataset: Dataset,
        task: Task,
        geometry: Geometry,
    ) -> None:
        super().write(path, annotation, dataset, task, geometry)
        whole = isinstance(annotation, Instances)
        drawn = annotation if whole else Instances(annotation)
        write_overlaps(overlaps_beside(path), drawn)

    @property
    def endings(self) -> tuple[str, ...]:
        return (*super().endings, *instance_endings())

    def folders(self, labels: Path) -> dict[str, Path]:
        if not labels.is_dir():
            return {}
        return {
            path.name: path
            for path in sorted(labels.iterdir())
            if path.is_dir() and not is_folder_image(path)
        }

    def shared(self, folder: Path, ids: Set[str]) -> Path | None:
        labels = folder / "labelsTr"
        files = [place / name for place in (folder, labels) for name in FOR_ALL]
        known = [file for file in files if file.is_file()]
        if known:
            return known[0]
        # By any name, such as instances_default.json, where nothing else is.
        others = list_files(labels)
        alone = len(others) == 1 and others[0].suffix.lower() == ".json"
        return others[0] if alone and others[0].stem not in ids else None

    def vain(
        self, dataset: Dataset, task: Task, measured: Mapping[str, Any]
    ) -> Vain | None:
        found = super().vain(dataset, task, measured)
        found = found or never_complete(dataset, task.classes)
        if found is None and COMPONENTS not in dataset.raw:
            masks, drawn = measured.get("masks", 0), measured.get("drawn", 0)
            found = masks_for_ids(dataset, masks, drawn)
        return found

    def read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        classes = readable_classes(task)
        found, geometry = self._read(path, dataset, task, image, case_id, classes)
        sketch = None if dataset is None else sketch_of(dataset.raw)
        if sketch is not None:
            found = sketched(found, sketch, geometry.spacing, task.one_segment)
        return found, geometry

    def read_prediction(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
        lazily: bool = False,
    ) -> tuple[Any, Geometry]:
        if dataset is not None and COMPONENTS in dataset.raw:
            rest = {k: v for k, v in dataset.raw.items() if k != COMPONENTS}
            dataset = replace(dataset, raw=rest)
        return self._read(path, dataset, task, image, case_id, task.class_names)

    def _read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
        classes: Mapping[int, str],
    ) -> tuple[Any, Geometry]:
        if is_many_files(path):
            image = image or image_of(path, dataset, case_id)
            sketch = None if dataset is None else sketch_of(dataset.raw)
            mark = "" if sketch is None else MARKS[sketch.drawn]
            found, geometry = read_many(path, dataset, image, case_id, classes, mark)
            try:
                return task.read(found), geometry
            except DatasetError as error:
                raise DatasetError(f"{path}: {case_id or path.stem}: {error}") from None
        labels, geometry = read_map_on_image(path, dataset, image, case_id)
        try:
            return self._of_map(path, labels, dataset, task, classes), geometry
        except DatasetError as error:
            where = "" if str(error).startswith(str(path.parent)) else f"{path}: "
            raise DatasetError(f"{where}{error}") from None

    def _of_map(
        self,
        path: Path,
        labels: NDArray[Any],
        dataset: Dataset | None,
        task: Task,
        classes: Mapping[int, str],
    ) -> Any:
        """Return the instances of a map of ids, or of classes."""
        found: Any
        if dataset is not None and dataset.raw.get(COMPONENTS):
            return task.read(components_of(labels, classes, path))
        ignore = task.ignore if IGNORE in classes.values() else None
        said = needs_classes(path, classes)
        hidden = None
        if ignore is not None and (ignore < 0 or not said):
            hidden = labels == ignore
            labels = np.where(hidden, 0, labels)
        drawn = Instances(labels)
        if overlaps_beside(path).is_file():
            drawn = with_overlaps(overlaps_beside(path), Instances(whole_ids(labels)))
        if said and labels.min(initial=0) >= 0:
            known = drawn.labels, classes
            found = task.read(with_classes(path, *known, masks=drawn.masks))
        else:
            found = task.read(drawn if drawn.masks else labels)
        return found if hidden is None or not hidden.any() else found.ignoring(hidden)
