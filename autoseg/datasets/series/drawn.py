"""Annotations that are DICOM, segmentations and contours, on the grid of an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.datasets.series.choice import KEY, is_bundle
from autoseg.dicom.annotation import (
    check_origin,
    open_drawings,
    paint,
    plain,
    values_by_name,
)
from autoseg.dicom.drawing import Drawing
from autoseg.dicom.headers import ENDINGS, is_dicom
from autoseg.dicom.voxels import find_stack
from autoseg.errors import DatasetError, FormatError, some_of
from autoseg.formats.header import with_remarks
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry

Array = NDArray[Any]


def is_drawn(path: Path) -> bool:
    """Return whether an annotation is DICOM: a file, or a folder of them."""
    return path.name.lower().endswith(ENDINGS) or (path.is_dir() and is_dicom(path))


def folders_of_drawings(labels: Path) -> dict[str, Path]:
    """Return folders in labelsTr that hold DICOM annotations, by name."""
    if not labels.is_dir():
        return {}
    inside = (path for path in sorted(labels.iterdir()) if path.is_dir())
    return {path.name: path for path in inside if is_dicom(path)}


def read_drawn(
    path: Path, dataset: Dataset | None, image: Geometry | None, case_id: str | None
) -> tuple[Array, Geometry]:
    """Read a segmentation or contours as a label map.

    Parameters
    ----------
    path : Path
        A file or a folder of files.
    dataset : Dataset or None
        Names labels; its training case of this annotation says which series is meant.
        None: values are the numbers of segments.
    image : Geometry or None
        Of the image; None: a segmentation's own grid.
    case_id : str or None
        Which case.

    Returns
    -------
    labels : ndarray of int32, shape S
        Values as dataset.json has them.
    geometry : Geometry
        Of the image.

    Raises
    ------
    FormatError
        If it lies on another grid or belongs to another series, or no name is known.
    """
    drawings = open_drawings(path)
    notes = _origin_notes(drawings, path, dataset, case_id)
    grid = image or drawings[0].grid()
    if grid is None:
        raise FormatError(
            f"{path} has contours, which are read with the image that they were drawn "
            "on; it is not there. Put it into its place."
        )
    if dataset is None:
        values = {
            (number, one.number): one.number
            for number, drawing in enumerate(drawings)
            for one in drawing.structures
        }
        others: list[str] = []
    else:
        values, others = values_by_name(
            drawings, single_values(dataset.raw), aliases_of(dataset), path
        )
    painted = paint(drawings, values, grid)
    if others:
        notes.append(
            f"its structures {some_of(others)} are in no label of dataset.json, and "
            "are left out"
        )
    return painted.labels, with_remarks(painted.geometry, painted.remarks, notes)


def _origin_notes(
    drawings: list[Drawing], path: Path, dataset: Dataset | None, case_id: str | None
) -> list[str]:
    """Compare UIDs with those of the training case that an annotation belongs to."""
    case = _case_of(path, dataset, case_id)
    if case is None or not case.images:
        return []
    image = case.images[0]
    if not is_bundle(image) and not image.name.lower().endswith(ENDINGS):
        return []
    return check_origin(drawings, find_stack(image).header, image, path)


def _case_of(path: Path, dataset: Dataset | None, case_id: str | None) -> Case | None:
    if dataset is None:
        return None
    of_file = (case for case in dataset.training if case.annotation == path)
    return next((c for c in of_file if case_id in (None, c.id)), None)


def single_values(raw: Mapping[str, Any]) -> dict[str, int]:
    """Return the labels of dataset.json that are one value, the background left out."""
    return {
        name: values[0]
        for name, values in all_values(raw).items()
        if len(values) == 1 and name != "background"
    }


def all_values(raw: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the values of each label of dataset.json; what is none is left out."""
    labels = raw.get("labels")
    if not isinstance(labels, dict):
        return {}
    if all(str(key).lstrip("-").isdigit() for key in labels):  # the Decathlon's way
        labels = {str(name): int(value) for value, name in labels.items()}
    found = {}
    for name, value in labels.items():
        values = value if isinstance(value, list) else [value]
        if values and all(type(one) is int for one in values):
            found[str(name)] = values
    return found


def aliases_of(dataset: Dataset) -> dict[str, str]:
    """Return other names of labels: what ``dicom`` says, and their codes.

    Parameters
    ----------
    dataset : Dataset
        With `segments` in ``dicom``, and ``codes``.

    Returns
    -------
    dict of str to str
        From a name in files to the label that is meant. A code of several labels, or
        one that reads as a label itself, is none.

    Raises
    ------
    DatasetError
        If either is written in another way.
    """
    said = dataset.raw.get(KEY)
    given = said.get("segments", {}) if isinstance(said, dict) else {}
    if not isinstance(given, dict) or not all(
        isinstance(v, str) for v in given.values()
    ):
        raise DatasetError(
            f"{dataset.folder / 'dataset.json'}: `dicom` has segments {given!r}; give "
            'the label of each name in files, as {"GTV-1": "tumor"}.'
        )
    named: dict[str, set[str]] = {}
    labels = {plain(name) for name in all_values(dataset.raw)}
    for name, look in looks_of(all_values(dataset.raw), dataset.raw).items():
        for word in look.kind[1:] if look.kind else ():
            named.setdefault(word, set()).add(name)
    codes = {
        word: next(iter(names))
        for word, names in named.items()
        if len(names) == 1 and plain(word) not in labels
    }
    return {**codes, **given}
