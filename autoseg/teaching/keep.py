"""A corrected annotation joins its data set, with the image's geometry."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.datasets.description import is_file_name
from autoseg.datasets.files import is_suffixed
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.datasets.kinds.instances import overlaps_beside
from autoseg.datasets.points import conventions, write_points
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, UsageError
from autoseg.formats.base import find_format, known_endings, match_ending, read_image
from autoseg.instancefiles.overlaps import write_overlaps
from autoseg.pointfiles.base import written_endings
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.spec.json import dumps, load_json
from autoseg.spec.points import UNKNOWN, Points
from autoseg.tasks import choose_task, make_task
from autoseg.workspace import find_dataset, find_root

TABLE = ".csv"  # says nothing of its coordinates
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
    points = isinstance(annotation, Points)
    if DATASET_KINDS[task.kind].maps_first == points:
        meant = "areas or objects" if points else "landmarks"
        found = "points" if points else "label maps"
        raise UsageError(f"{described.name} has {meant}; {found} mean nothing.")
    if isinstance(annotation, Points):
        annotation = _complete(annotation, conventions(described)[0] or task.classes)
    elif not isinstance(annotation, Instances):
        annotation = np.asarray(annotation)
    task.read(annotation)  # raises if a value means nothing
    known = _known(described, case)
    whole = known or _new_case(described, case, images)
    if whole.annotation is None:  # `_known` and `_new_case` give one
        raise UsageError(f"{case} has no place for an annotation.")
    if known and whole.annotation.exists() and not replacing:
        raise UsageError(f"{case} has an annotation already: {whole.annotation}.")
    if points:
        _check_points_file(described, whole.annotation)
    source = whole if known else replace(whole, images=tuple(images))
    geometry = read_image(source, described, lazily=True).geometry
    if not points and geometry.shape != annotation.shape:
        raise DatasetError(
            f"{source.images[0]} has {geometry.shape} voxels and the annotation "
            f"{annotation.shape}; it belongs to another image."
        )
    if known is None:
        _add(described, whole, images)
    whole.annotation.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(annotation, Points):
        write_points(whole.annotation, annotation, geometry)
        return whole.annotation
    labels = np.asarray(annotation)
    _write(described, task.value_names, whole.annotation, labels, geometry)
    overlaps = annotation if isinstance(annotation, Instances) else Instances(labels)
    write_overlaps(overlaps_beside(whole.annotation), overlaps)
    return whole.annotation


def _complete(points: Points, names: Sequence[str]) -> Points:
    """Return points with all landmarks of a data set, in its order.

    Raises
    ------
    DatasetError
        If one has a name that the data set does not know.
    """
    others = [name for name in points.names if name not in names]
    if others:
        raise DatasetError(
            f"The data set has no landmark {', '.join(others)}; it has "
            f"{', '.join(names)}."
        )
    at = {name: number for number, name in enumerate(points.names)}
    places = np.full((len(names), points.dim), np.nan)
    status = np.full(len(names), UNKNOWN, np.int8)
    for number, name in enumerate(names):
        if name in at:
            places[number] = points.coordinates[at[name]]
            status[number] = points.status[at[name]]
    return Points(tuple(names), places, status)


def _check_points_file(described: Dataset, path: Path) -> None:
    """Raise UsageError unless points of one case can be written to a file."""
    sharing = [case.id for case in described.training if case.annotation == path]
    if len(sharing) > 1:
        raise UsageError(
            f"{path} has the points of {len(sharing)} cases, and one would be written. "
            "Give each case a file of its own, labelsTr/CASE.json."
        )
    states = not path.name.lower().endswith(TABLE) or "coordinates" not in described.raw
    if not states or not match_ending(path.name.lower(), written_endings()):
        raise UsageError(
            f"{path.name}: points are written as {', '.join(written_endings())}, and "
            f"as {TABLE} only without `coordinates` in dataset.json, which such a "
            "table would not follow. Give the data set another kind of file."
        )


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


def _write(
    described: Dataset,
    names: Mapping[int, str],
    path: Path,
    labels: NDArray[Any],
    geometry: Geometry,
) -> None:
    format = find_format(path, described.format)
    kind = np.min_scalar_type(int(labels.max(initial=0)))
    format.write_labels(
        path, labels.astype(kind if labels.min() >= 0 else np.int16), geometry
    )
    if names:
        looks = looks_of(names.values(), described.raw)
        format.name_labels(path, names, {n: look.color for n, look in looks.items()})
