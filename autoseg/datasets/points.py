"""Read and write points of a case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.series.maps import read_map_on_image
from autoseg.errors import FormatError, some_of
from autoseg.pointfiles.base import Item, cases_in, is_map, points_in_map
from autoseg.pointfiles.base import case_id as case_of_file
from autoseg.pointfiles.base import read_points as read_file
from autoseg.pointfiles.base import write_points as write_file
from autoseg.pointfiles.convention import FIRST, Convention
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points

ENDING = ".json"
ORIGIN = 1e-6  # units of the spacing: what is nearer to 0 was written as 0


def read_points(
    path: Path,
    dataset: Dataset | None,
    image: Geometry | None,
    case_id: str | None = None,
) -> tuple[Points, Geometry]:
    """Read the points of a case.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset or None
        What the user says about her files.
    image : Geometry or None
        Of the case's image; None: the file has to say it.
    case_id : str, optional
        Which case, where a file has several; default: the file's name.

    Returns
    -------
    points : Points
        In voxels of the image, as many as the file has.
    geometry : Geometry
        Of the image; of a label map its own, turned to the axes of the image.

    Raises
    ------
    FormatError
        If the file cannot be read or does not say enough.
    DatasetError
        If it is a label map with other axes than its image, and lies elsewhere.
    """
    names, coordinates = conventions(dataset)
    if is_map(path):
        labels, geometry = read_map_on_image(path, dataset, image, case_id)
        points = points_in_map(path, labels, names)
        return points.moved(points.coordinates, geometry.shape), geometry
    geometry = image or _geometry(path, case_id)
    case = case_of_file(path) if case_id is None else case_id
    there = cases_in(path, names)
    if there and case not in there:
        case = case_of_file(path)  # it is listed as the annotation of another name
    if there and case not in there:
        raise FormatError(
            f"{path} has the case{'s' * (len(there) > 1)} {some_of(there)}, and no "
            f"case {case_id or case!r}. Add it, or take its image away."
        )
    found = read_file(
        path,
        names,
        lambda case: geometry,
        coordinates=coordinates,
        case=case if there else None,
    )
    if not found:
        raise FormatError(f"{path} has no points.")
    points = next(iter(found.values()))
    return points.moved(points.coordinates, geometry.shape), geometry


def conventions(
    dataset: Dataset | None,
) -> tuple[Sequence[str] | None, Mapping[str, Any] | None]:
    """Return the names of the landmarks, and what a data set says of coordinates."""
    raw: Mapping[str, Any] = {} if dataset is None else dataset.raw
    names = raw.get("landmarks")
    if isinstance(names, dict):
        names = names.get("names")
    return names if isinstance(names, list) else None, raw.get("coordinates")


def _geometry(path: Path, case: str | None) -> Geometry:
    """Return the geometry of the image, which our own predictions say."""
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        said = (raw["cases"][case] if "cases" in raw else raw)["geometry"]
        return Geometry(
            shape=tuple(said["shape"]),
            spacing=tuple(said["spacing"]),
            unit=said["unit"],
            origin=tuple(said.get("origin", ())),
            direction=tuple(said.get("direction", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise FormatError(
            f"{path} does not say which image its points are in, and none is known of "
            f"case {case or case_of_file(path)!r}. Give the data set, or its images."
        ) from None


def write_points(path: Path, points: Points, geometry: Geometry) -> None:
    """Write the points of a case; the ending says how.

    Parameters
    ----------
    path : Path
        ``CASE.json`` (with everything that is known), ``CASE.csv``, ``CASE.mrk.json``
        or ``CASE.coco.json``.
    points : Points
        In voxels of the image, with any details.
    geometry : Geometry
        Of the image.
    """
    case = case_of_file(Path(path))
    write_file(Path(path), [Item(case=case, points=points, geometry=geometry)])


def is_origin(place: NDArray[np.float64], geometry: Geometry | None) -> bool:
    """Return whether a point is where files have zeros, by any convention.

    Tools write 0, 0 for a point that nobody set.

    Parameters
    ----------
    place : ndarray, shape (D,)
        In voxels of the image, slowest axis first.
    geometry : Geometry or None
        Of the image, if it is known.
    """
    if any((place == -first).all() for first in FIRST.values()):
        return True
    if geometry is None or geometry.unit == "px":
        return False
    lps = Convention(space="physical").from_index(place[None], geometry)
    return bool(np.abs(lps).max() < ORIGIN)
