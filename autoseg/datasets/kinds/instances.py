"""Instances: a map of ids, a folder of masks, a file of objects, or one for all."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

from autoseg.datasets.files import image_of, list_files, read_map_on_image
from autoseg.datasets.instance_classes import components_of, with_classes
from autoseg.datasets.instance_files import is_many_files, read_many
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.base import DatasetKind
from autoseg.errors import DatasetError
from autoseg.instancefiles.readers.base import instance_endings
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

COMPONENTS = "components"  # key of dataset.json
FOR_ALL = ("labelsTr.json", "annotations.json")  # of all images, in COCO's way


@DATASET_KINDS.register
class InstanceFiles(DatasetKind):
    """Instances of a case in one of many ways; what they are may stand beside it."""

    @property
    def endings(self) -> tuple[str, ...]:
        return (*super().endings, *instance_endings())

    def folders(self, labels: Path) -> dict[str, Path]:
        if not labels.is_dir():
            return {}
        return {path.name: path for path in sorted(labels.iterdir()) if path.is_dir()}

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

    def read(
        self,
        path: Path,
        dataset: Dataset | None,
        task: Task,
        image: Geometry | None,
        case_id: str | None,
    ) -> tuple[Any, Geometry]:
        classes = task.class_names
        if is_many_files(path):
            image = image or image_of(path, dataset, case_id)
            found, geometry = read_many(path, dataset, image, case_id, classes)
            try:
                return task.read(found), geometry
            except DatasetError as error:
                raise DatasetError(f"{path}: {case_id or path.stem}: {error}") from None
        labels, geometry = read_map_on_image(path, dataset, image, case_id)
        if dataset is not None and dataset.raw.get(COMPONENTS):
            found = components_of(labels, classes, path)
            return task.read(found), geometry
        if len(classes) > 1 and labels.min(initial=0) >= 0:
            return task.read(with_classes(path, labels, classes)), geometry
        try:
            return task.read(labels), geometry
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from None
