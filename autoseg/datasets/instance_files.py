"""Instances that are not in one map: a file for each of them, or COCO's JSON.

Legend: S spatial shape.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._base import find_format, known_endings, match_ending, read_labels
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks._instances import Instances

Array = NDArray[Any]


def is_many_files(path: Path) -> bool:
    """Return whether an annotation is no map: a folder of masks, or a JSON file."""
    return path.is_dir() or path.suffix.lower() == ".json"


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
        two overlap, the voxel belongs to the later one.
    geometry : Geometry
        Of the grid.

    Raises
    ------
    FormatError
        If it cannot be read; names the file.
    """
    if path.is_dir():
        return _from_masks(path, dataset)
    return _from_coco(path, image, case_id)


def _from_masks(folder: Path, dataset: Dataset | None) -> tuple[Instances, Geometry]:
    endings = known_endings()
    inner = folder / "masks"
    place = inner if inner.is_dir() else folder
    files = sorted(p for p in place.iterdir() if match_ending(p.name, endings))
    if not files:
        raise FormatError(
            f"{place} holds no mask. Put one image file for each instance there."
        )
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
    path: Path, image: Geometry | None, case_id: str | None
) -> tuple[Instances, Geometry]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        entry = _image_entry(raw["images"], case_id or path.stem)
        shape = (int(entry["height"]), int(entry["width"]))
        own = [a for a in raw["annotations"] if a["image_id"] == entry["id"]]
        labels = np.zeros(shape, np.int32)
        classes = {}
        for number, annotation in enumerate(own, 1):
            labels[_mask(annotation["segmentation"], shape)] = number
            classes[number] = int(annotation["category_id"])
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise FormatError(
            f"{path} cannot be read as instances in COCO's way ({error!r}): it needs "
            "`images` with id, file_name, height and width, and `annotations` with "
            "image_id, category_id and segmentation."
        ) from None
    geometry = image or Geometry(shape=shape, spacing=(1.0, 1.0), unit="px")
    if geometry.shape != shape:
        raise FormatError(f"{path} is for {shape}; the image has {geometry.shape}.")
    there = set(np.unique(labels).tolist())
    kept = {i: kind for i, kind in classes.items() if i in there}
    return Instances(labels, kept), geometry


def _image_entry(images: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """Return the entry of the image that a case is called after, or the only one."""
    for entry in images:
        stem = Path(str(entry.get("file_name", ""))).name.split(".")[0]
        if stem in (name, f"{name}_0000"):
            return entry
    if len(images) == 1:
        return images[0]
    raise KeyError(f"no image called {name}")


def _mask(segmentation: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the mask of polygons, or of a run-length code, counts or text."""
    if isinstance(segmentation, Mapping):
        counts = segmentation["counts"]
        runs = _runs(counts) if isinstance(counts, str) else counts
        values = np.arange(len(runs)) % 2 == 1
        flat = np.repeat(values, runs)
        height, width = segmentation["size"]
        return np.asarray(flat.reshape(width, height).T)  # column after column
    from skimage.draw import polygon2mask

    mask = np.zeros(shape, bool)
    for corners in segmentation:
        # COCO counts from the image's corner, arrays from the first pixel's middle.
        places = np.reshape(corners, (-1, 2))[:, ::-1] - 0.5
        mask |= polygon2mask(shape, places)
    return mask


def _runs(text: str) -> list[int]:
    """Return the counts of COCO's compressed run-length code.

    Five bits for each character, lowest first; from the fourth count on, the difference
    to the last but one.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    return runs
