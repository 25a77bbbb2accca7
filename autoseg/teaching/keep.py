"""A corrected annotation joins its data set, with the image's geometry."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.datasets.description import is_file_name
from autoseg.datasets.files import is_suffixed
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, UsageError
from autoseg.formats.base import known_endings, match_ending, read_image
from autoseg.pointfiles.base import written_endings
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.instances import Instances
from autoseg.spec.json import dumps, load_json
from autoseg.spec.points import Points
from autoseg.tasks import choose_task, make_task
from autoseg.workspace import find_dataset, find_root

LISTED = "dataset"  # in dataset.json: cases whose files lie anywhere


def is_annotated(dataset: str | os.PathLike[str], case: str) -> bool:
    """Return whether a data set has an annotation of a case already."""
    described = load_dataset(find_dataset(dataset, find_root(None)))
    known = _known(described, case)
    return bool(known and known.annotation and known.annotation.exists())


def keep(
    dataset: str | os.PathLike[str],
    case: str,
    annotation: NDArray[Any] | Instances | Points,
    images: Sequence[Path] = (),
    *,
    replacing: bool = False,
) -> Path:
    """Write an annotation into a data set, in the geometry of the case's image.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    case : str
        Id of a case that is there, or of a new one.
    annotation : ndarray of int, shape (*S), or Instances, or Points
        Values as dataset.json has them, of instances ids; slowest axis first. With
        `Instances`, whose objects may overlap, the whole masks are written beside the
        map; without, such a file of before goes. Landmarks in voxels of the image.
    images : sequence of Path
        Of a new case: its files, one for each channel or one for all. They are copied
        to imagesTr, or named where they are if dataset.json lists its cases.
    replacing : bool
        Whether an annotation that is there may be replaced.

    Returns
    -------
    Path
        The annotation.

    Raises
    ------
    UsageError
        If there is an annotation already, or the case cannot be added.
    DatasetError
        If the labels mean nothing in this data set, or have another shape than the
        image.
    """
    described = load_dataset(find_dataset(dataset, find_root(None)))
    if not is_file_name(case):
        raise UsageError(f"{case!r} cannot be a case: results are files of that name.")
    task = make_task(choose_task(described))
    kind = DATASET_KINDS[task.kind]()
    annotation = kind.corrected(annotation, described, task)
    task.read(annotation)  # raises if a value means nothing
    known = _known(described, case)
    whole = known or _new_case(described, case, images)
    if whole.annotation is None:  # `_known` and `_new_case` give one
        raise UsageError(f"{case} has no place for an annotation.")
    if known and whole.annotation.exists() and not replacing:
        raise UsageError(f"{case} has an annotation already: {whole.annotation}.")
    kind.check_file(whole.annotation, described)
    source = whole if known else replace(whole, images=tuple(images))
    geometry = read_image(source, described, lazily=True).geometry
    if not kind.fits(annotation, geometry):
        raise DatasetError(
            f"{source.images[0]} has {geometry.shape} voxels and the annotation "
            f"{annotation.shape}; it belongs to another image."
        )
    if known is None:
        _add(described, whole, images)
    whole.annotation.parent.mkdir(parents=True, exist_ok=True)
    kind.write(whole.annotation, annotation, described, task, geometry)
    return whole.annotation


def _known(described: Dataset, case: str) -> Case | None:
    return next((one for one in described.training if one.id == case), None)


def _new_case(described: Dataset, case: str, images: Sequence[Path]) -> Case:
    """Return where the files of a new case belong."""
    channels = len(described.channel_names)
    if len(images) not in (1, channels):
        raise UsageError(
            f"{case} is new, and {len(images)} files were given for {channels} "
            "channels. Open its image from files."
        )
    folder, first = described.folder, described.training[:1]
    endings = (*known_endings(), *written_endings())
    label = described.annotation_ending or ".nii.gz"
    suffix = ""
    if first and first[0].annotation is not None:
        name = first[0].annotation.name
        label = match_ending(name, endings) or label
        stem = name[: -len(label)] if name.lower().endswith(label.lower()) else ""
        suffix = stem.removeprefix(first[0].id) if stem.startswith(first[0].id) else ""
    annotation = folder / "labelsTr" / f"{case}{suffix}{label}"
    if LISTED in described.raw:
        return Case(id=case, images=tuple(images), annotation=annotation)
    ending = described.image_ending
    others = [p.name for p in images if not p.name.lower().endswith(ending.lower())]
    if others:
        raise UsageError(
            f"{', '.join(others)}: images of {described.name} end with {ending}. Save "
            "it so, and open it again."
        )
    numbered = len(images) > 1 or not first or is_suffixed(described.training)
    names = [
        f"{case}_{number:04d}{ending}" if numbered else f"{case}{ending}"
        for number in range(len(images))
    ]
    places = tuple(folder / "imagesTr" / name for name in names)
    return Case(id=case, images=places, annotation=annotation)


def _add(described: Dataset, case: Case, images: Sequence[Path]) -> None:
    """Copy the images of a new case, or name them in dataset.json."""
    there = [p for p in (*case.images, case.annotation) if p and p.exists()]
    raw = dict(load_json(described.folder / "dataset.json", error=DatasetError))
    if LISTED in raw:
        label = os.path.relpath(str(case.annotation), described.folder)
        names = [os.path.abspath(path) for path in images]
        raw[LISTED] = {**raw[LISTED], case.id: {"images": names, "label": label}}
        there = []
    if there:
        raise UsageError(f"{there[0]} is there already; give the case another name.")
    if LISTED not in raw:
        for source, place in zip(images, case.images, strict=True):
            with atomically(place) as file:
                shutil.copyfile(source, file)
    if isinstance(raw.get("numTraining"), int):
        raw["numTraining"] = len(described.training) + 1
    with atomically(described.folder / "dataset.json") as file:
        file.write_text(dumps(raw), encoding="utf-8")
