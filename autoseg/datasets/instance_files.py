"""Instances that are not in one map: a file for each of them, or COCO's JSON.

Legend: S spatial shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets._coco import places_of, read_coco
from autoseg.errors import FormatError
from autoseg.formats.base import find_format, known_endings, match_ending, read_labels
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances

Array = NDArray[Any]

SHOWN = 5  # faults of a file that a message lists


def is_many_files(path: Path) -> bool:
    """Return whether an annotation is no map: a folder of masks, or a JSON file."""
    return path.is_dir() or path.suffix.lower() == ".json"


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
        files += sorted(annotation.rglob("*")) if is_folder else [annotation]
        beside.append(annotation.with_name(f"{case.id}.json"))
    return files + [path for path in beside if path.is_file() and path not in files]


def names_of(path: Path, case_id: str) -> dict[int, str]:
    """Return what each instance is called in the files, by the id that it is given.

    Parameters
    ----------
    path : Path
        A folder of masks, or COCO's JSON.
    case_id : str
        Which image of the JSON.

    Returns
    -------
    dict of int to str
        Also of those that left no voxel.
    """
    if path.is_dir():
        return {i: file.name for i, file in enumerate(_masks(path), 1)}
    own = read_coco(path).of_case(case_id)
    return {i: f"annotation {one.get('id', i)}" for i, one in enumerate(own, 1)}


def crowds_of(path: Path, case_id: str) -> int:
    """Return how many crowd regions are left out of a case's instances.

    Parameters
    ----------
    path : Path
        A folder of masks, which has none, or COCO's JSON: those with ``iscrowd`` 1.
    case_id : str
        Which image of the JSON.

    Returns
    -------
    int
        Regions of several objects that nobody drew one by one.
    """
    return 0 if path.is_dir() else read_coco(path).crowds_of(case_id)


def read_many(
    path: Path,
    dataset: Dataset | None,
    image: Geometry | None = None,
    case_id: str | None = None,
) -> tuple[Instances, Geometry]:
    """Read the instances of a case from a folder of masks or from COCO's JSON.

    Parameters
    ----------
    path : Path
        A folder with one mask for each instance, everything over 0 being the instance;
        or a JSON file.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    image : Geometry, optional
        Of the case's image.
    case_id : str, optional
        Which image of a JSON file; by default that of the file's name, or the only one.

    Returns
    -------
    instances : Instances
        Ids from 1 on, in the order of the files' names or of the JSON's entries. Where
        two overlap, the voxel belongs to the later one. COCO's crowd regions are none.
    geometry : Geometry
        Of the grid.

    Raises
    ------
    FormatError
        If it cannot be read; names the file.
    """
    if path.is_dir():
        return _from_masks(path, dataset)
    return _from_coco(path, dataset, image, case_id or path.stem)


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
    mask, geometry = _read_mask(files[0], dataset)
    labels = np.zeros(mask.shape, np.int32)
    for number, file in enumerate(files, 1):
        mask, _ = _read_mask(file, dataset)
        if mask.shape != labels.shape:
            raise FormatError(
                f"{file} has shape {mask.shape}, {files[0].name} {labels.shape}; all "
                "masks of a case must be on the image's grid."
            )
        labels[mask > 0] = number
    return Instances(labels), geometry


def _read_mask(file: Path, dataset: Dataset | None) -> tuple[Array, Geometry]:
    if dataset is None:
        return find_format(file).read_labels(file)
    return read_labels(file, dataset)


def _from_coco(
    path: Path, dataset: Dataset | None, image: Geometry | None, case_id: str
) -> tuple[Instances, Geometry]:
    coco = read_coco(path)
    entry = coco.image(case_id)
    shape = (int(entry["height"]), int(entry["width"]))
    geometry = image or _geometry(shape, dataset)
    if geometry.shape != shape:
        raise FormatError(
            f"{path} says that {entry['file_name']} has {shape[0]} rows and {shape[1]} "
            f"columns; the image has {' x '.join(map(str, geometry.shape))}. Correct "
            "`height` and `width`, or put the right image there."
        )
    labels = np.zeros(shape, np.int32)
    classes: dict[int, int] = {}
    faults = []
    for number, annotation in enumerate(coco.of_case(case_id), 1):
        try:
            labels[places_of(annotation, shape)] = number
            classes[number] = int(annotation["category_id"])
        except KeyError as error:
            faults.append(f"annotation {annotation.get('id', number)}: no {error}")
        except (TypeError, ValueError) as error:
            faults.append(f"annotation {annotation.get('id', number)}: {error}")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise FormatError(
            f"{path} has annotations of {entry['file_name']} that cannot be drawn: "
            f"{'; '.join(faults[:SHOWN])}{more}. Correct them, or take them out."
        )
    there = set(np.unique(labels).tolist())
    return Instances(labels, _kept(classes, there)), geometry


def _kept(classes: Mapping[int, int], there: set[int]) -> dict[int, int]:
    return {i: kind for i, kind in classes.items() if i in there}


def _geometry(shape: tuple[int, int], dataset: Dataset | None) -> Geometry:
    """Return the grid of an image that nobody has read."""
    spacing = None if dataset is None else dataset.spacing
    unit = None if dataset is None else dataset.unit
    if spacing is None or len(spacing) != len(shape):
        return Geometry(shape=shape, spacing=(1.0, 1.0), unit="px")
    return Geometry(shape=shape, spacing=spacing, unit=unit or "mm")
