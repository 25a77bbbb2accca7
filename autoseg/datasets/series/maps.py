"""Label maps of files, DICOM or not, on the grid of their image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from autoseg.datasets.series.drawn import is_drawn, read_drawn
from autoseg.datasets.series.segments import read_by_name
from autoseg.formats.base import find_format, read_labels
from autoseg.formats.geometry import read_geometry
from autoseg.formats.header import measured_in, with_remarks
from autoseg.geometry.align import aligned, turned_note
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry

NAMELESS: Mapping[int, str] = MappingProxyType({})


def read_map(
    path: Path,
    dataset: Dataset | None,
    *,
    names: Mapping[int, str] = NAMELESS,
    lazily: bool = False,
) -> tuple[NDArray[Any], Geometry]:
    """Read whole numbers from an image file, also where no data set is known.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset or None
        Gives spacing, unit and format for files that do not say.
    names : mapping of int to str
        Of label values, by which segments of 3D Slicer's files are read.
    lazily : bool
        See `autoseg.formats.base.Format.read_labels`.

    Returns
    -------
    labels : ndarray of integers, shape S
        As in the file, unless names say otherwise.
    geometry : Geometry
        Of the file.
    """
    named = read_by_name(path, dataset, names, lazily) if names else None
    if named is not None:
        return named
    if dataset is None:
        return find_format(path).read_labels(path, lazily=lazily)
    return read_labels(path, dataset, lazily=lazily)


def image_of(
    path: Path, dataset: Dataset | None, case_id: str | None
) -> Geometry | None:
    """Return the geometry of the image that a file annotates.

    Parameters
    ----------
    path : Path
        An annotation.
    dataset : Dataset or None
        With the training cases.
    case_id : str or None
        Which case.

    Returns
    -------
    Geometry or None
        None if no training case has this annotation.
    """
    if dataset is None:
        return None
    fitting = (case for case in dataset.training if case.id == case_id)
    found = next((case for case in fitting if case.annotation == path), None)
    return None if found is None else read_geometry(found, dataset)


def read_map_on_image(
    path: Path,
    dataset: Dataset | None,
    image: Geometry | None,
    case_id: str | None,
    *,
    names: Mapping[int, str] = NAMELESS,
    lazily: bool = False,
) -> tuple[NDArray[Any], Geometry]:
    """Read whole numbers whose axes run as those of the image, turning them if need be.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset or None
        See `read_map`.
    image : Geometry or None
        Of the image; None: of the training case that the file belongs to, if any.
    case_id : str or None
        Which case.
    names : mapping of int to str
        See `read_map`.
    lazily : bool
        See `autoseg.formats.base.Format.read_labels`.

    Returns
    -------
    labels : ndarray of integers, shape S
        Turned if the file has other axes over the same place.
    geometry : Geometry
        Of the labels.

    Raises
    ------
    DatasetError
        If it has other axes than its image and lies elsewhere.
    """
    image = image or image_of(path, dataset, case_id)
    if is_drawn(path):
        return read_drawn(path, dataset, image, case_id)
    labels, geometry = read_map(path, dataset, names=names, lazily=lazily)
    if image is None:
        return labels, geometry
    geometry = measured_in(geometry, image.unit)
    labels, turned = aligned(labels, geometry, image, path)
    if turned is not geometry:
        turned = with_remarks(turned, notes=[turned_note(geometry, image)])
    return labels, turned
