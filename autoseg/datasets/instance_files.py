"""Instances that are not in one map: a file for each of them, or one of outlines.

Legend: S spatial shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.instance_classes import (
    IGNORE,
    drawn_names,
    objects_of,
    side_car_of,
    with_classes,
)
from autoseg.datasets.series.maps import read_map
from autoseg.errors import DatasetError, FormatError, some_of
from autoseg.formats.base import known_endings, match_ending
from autoseg.instancefiles.readers import base as readers
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.place import files_below
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances

Array = NDArray[Any]

NO_CLASSES: Mapping[int, str] = MappingProxyType({})


def is_many_files(path: Path) -> bool:
    """Return whether an annotation is no map, but a folder of masks or objects."""
    return path.is_dir() or readers.is_instance_file(path)


def crowds_are_objects(dataset: Dataset | None) -> bool:
    """Return whether dataset.json takes crowds that are in one piece for objects."""
    return dataset is not None and dataset.raw.get("crowds") == "objects"


def files_of(case: Case) -> list[Path]:
    """Return all files that say something about a case.

    Parameters
    ----------
    case : Case
        Its annotation may be a folder of masks.

    Returns
    -------
    list of Path
        Images, the annotation or what is in its folder, and ``CASE.json`` beside either
        of them, if it is there.
    """
    files = list(case.images)
    beside = [path.with_name(f"{case.id}.json") for path in case.images[:1]]
    annotation = case.annotation
    if annotation is not None:
        is_folder = annotation.is_dir()
        files += files_below(annotation) if is_folder else [annotation]
        beside.append(annotation.with_name(f"{case.id}.json"))
        beside += readers.beside(annotation)
    return files + [path for path in beside if path.is_file() and path not in files]


def names_of(
    path: Path,
    case_id: str,
    dataset: Dataset | None = None,
    classes: Mapping[int, str] = NO_CLASSES,
) -> dict[int, str]:
    """Return what each instance is called in the files, by the id that it is given.

    Parameters
    ----------
    path : Path
        A folder of masks, or a file of objects.
    case_id : str
        Which picture of the file.
    dataset : Dataset, optional
        Says what crowds are.
    classes : mapping of int to str
        See `readable_classes`.

    Returns
    -------
    dict of int to str
        Also of those that left no voxel; where classes are given, without what stands
        for what nobody annotated.
    """
    if path.is_dir():
        masks = {i: file.name for i, file in enumerate(_masks(path), 1)}
        return drawn_names(path, masks, classes)
    crowds = crowds_are_objects(dataset)
    return readers.names_of(path, case_id, classes, crowds=crowds)


def crowds_of(
    path: Path, case_id: str, dataset: Dataset | None = None
) -> tuple[int, int]:
    """Return how many crowd regions count as what nobody annotated.

    Parameters
    ----------
    path : Path
        A folder of masks, which has none, or a file of objects: COCO's with ``iscrowd``
        1.
    case_id : str
        Which picture of the file.
    dataset : Dataset, optional
        Says what crowds are.

    Returns
    -------
    left_out : int
        Regions of several objects that nobody drew one by one.
    single : int
        Those of them that are in one piece, and so may be an object.
    """
    if path.is_dir():
        return 0, 0
    count, single = readers.crowds_of(path, case_id)
    return (count - single, 0) if crowds_are_objects(dataset) else (count, single)


def read_many(
    path: Path,
    dataset: Dataset | None,
    image: Geometry | None = None,
    case_id: str | None = None,
    classes: Mapping[int, str] = NO_CLASSES,
    mark: str = "",
) -> tuple[Instances, Geometry]:
    """Read the instances of a case from a folder of masks or from a file of objects.

    Parameters
    ----------
    path : Path
        A folder with one mask for each instance, everything over 0 being the instance;
        or a file that ``autoseg/instancefiles/readers`` reads.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    image : Geometry, optional
        Of the case's image.
    case_id : str, optional
        Which picture of a file; by default that of the file's name, or the only one.
    classes : mapping of int to str
        Names of the classes by number, see `readable_classes`. With several, what the
        file does not say is in ``CASE.json`` beside it.
    mark : str
        Which marks stand for objects beside outlines; see
        `autoseg.instancefiles.readers.base.read_objects`.

    Returns
    -------
    instances : Instances
        Ids from 1 on, in the order of the files' names or of the file's entries. Where
        two overlap, the later one is on top, and both are kept whole. COCO's crowd
        regions are none, unless dataset.json says so: nobody annotated there, nor where
        the class is `ignore`, but for the objects that lie there.
    geometry : Geometry
        Of the grid.

    Raises
    ------
    FormatError, DatasetError
        If it cannot be read; names the file.
    """
    if path.is_dir():
        instances, geometry = _from_masks(path, dataset)
        if not needs_classes(path, classes):
            return instances, geometry
        names = names_of(path, path.name)
        known = instances.labels, classes, names, instances.masks
        return with_classes(path, *known), geometry
    case = case_id or readers.case_id(path)
    crowds = crowds_are_objects(dataset)
    found = readers.read_objects(path, case, classes, image, crowds=crowds, mark=mark)
    geometry = image or _geometry(found.labels.shape, dataset)
    drawn = Instances(found.labels, found.classes, masks=found.masks)
    unsaid: set[int] = set()
    if len(objects_of(classes)) > 1:
        unsaid = set(drawn.ids) - set(found.classes)
    if not unsaid:
        return drawn, geometry
    if len(unsaid) < len(found.names):
        raise DatasetError(
            f"{path} says of some objects of which class they are, and not of "
            f"{some_of([found.names[i] for i in sorted(unsaid)])}. Name it for each."
        )
    side_car = path.with_name(case)
    named = with_classes(side_car, found.labels, classes, found.names, found.masks)
    return named, geometry


def needs_classes(path: Path, classes: Mapping[int, str]) -> bool:
    """Return whether a side-car says what the objects of an annotation are.

    Parameters
    ----------
    path : Path
        The annotation.
    classes : mapping of int to str
        See `readable_classes`. With several of objects there has to be one; where
        there are but one and `ignore`, there may be one.
    """
    if len(objects_of(classes)) > 1:
        return True
    return IGNORE in classes.values() and side_car_of(path).is_file()


def _masks(folder: Path) -> list[Path]:
    """Return the files of the masks in a folder, or in ``masks`` inside it."""
    inner = folder / "masks"
    place = inner if inner.is_dir() else folder
    endings = known_endings()
    files = (p for p in place.iterdir() if match_ending(p.name, endings))
    found = sorted(p for p in files if not p.name.startswith("."))
    if not found:
        raise FormatError(
            f"{place} holds no mask. Put one image file for each instance there."
        )
    return found


def _from_masks(folder: Path, dataset: Dataset | None) -> tuple[Instances, Geometry]:
    files = _masks(folder)
    first, geometry = read_map(files[0], dataset)

    def masks() -> Iterator[tuple[int, Mask]]:
        for number, file in enumerate(files, 1):
            mask, _ = read_map(file, dataset)
            if mask.shape != first.shape:
                raise FormatError(
                    f"{file} has shape {mask.shape}, {files[0].name} {first.shape}; "
                    "all masks of a case must be on the image's grid."
                )
            if (mask > 0).any():
                yield number, Mask.of_places(np.nonzero(mask > 0))

    labels, shared = painted(first.shape, masks())
    return Instances(labels, masks=shared), geometry


def _geometry(shape: tuple[int, ...], dataset: Dataset | None) -> Geometry:
    """Return the grid of an image that nobody has read."""
    spacing = None if dataset is None else dataset.spacing
    unit = None if dataset is None else dataset.unit
    if spacing is None or len(spacing) != len(shape):
        return Geometry(shape=shape, spacing=(1.0, 1.0), unit="px")
    return Geometry(shape=shape, spacing=spacing, unit=unit or "mm")
