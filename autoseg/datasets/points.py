"""Read and write points of a case."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles._base import case_id as case_of_file
from autoseg.pointfiles._base import read_points as read_file
from autoseg.spec._json import dumps, write_text
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import STATUS, Points

ENDING = ".json"
SYSTEM = "index"  # ours: voxels, slowest axis first


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
        Of the image.

    Raises
    ------
    FormatError
        If the file cannot be read or does not say enough.
    """
    geometry = image or _geometry(path)
    raw = {} if dataset is None else dataset.raw
    found = read_file(
        path,
        raw.get("landmarks") if isinstance(raw.get("landmarks"), list) else None,
        lambda case: geometry,
        coordinates=raw.get("coordinates"),
    )
    case = case_of_file(path) if case_id is None else case_id
    if case not in found and len(found) > 1:
        raise FormatError(f"{path} has {len(found)} cases, and none is {case!r}.")
    points = found.get(case) or next(iter(found.values()), None)
    if points is None:
        raise FormatError(f"{path} has no points.")
    return points.moved(points.coordinates, geometry.shape), geometry


def _geometry(path: Path) -> Geometry:
    """Return the geometry of the image, which our own predictions say."""
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        raw = {}
    said = raw.get("geometry") if isinstance(raw, dict) else None
    if not isinstance(said, dict):
        raise FormatError(
            f"{path} does not say which image its points are in. Give the data set."
        )
    return Geometry(
        shape=tuple(said["shape"]), spacing=tuple(said["spacing"]), unit=said["unit"]
    )


def write_points(path: Path, points: Points, geometry: Geometry) -> None:
    """Write points as JSON, in voxels of the image, slowest axis first.

    Parameters
    ----------
    path : Path
        The file.
    points : Points
        With any details.
    geometry : Geometry
        Of the image.
    """
    entries: dict[str, Any] = {}
    for i, name in enumerate(points.names):
        place = points.coordinates[i]
        entry: dict[str, Any] = {
            "status": STATUS[points.status[i]],
            "coordinates": place.tolist() if points.present[i] else None,
        }
        for key, values in points.details.items():
            value = np.asarray(values[i])
            entry[key] = value.tolist() if np.isfinite(value).all() else None
        entries[name] = entry
    said = {
        "shape": geometry.shape,
        "spacing": geometry.spacing,
        "unit": geometry.unit,
    }
    write_text(
        Path(path),
        dumps({"coordinate_system": SYSTEM, "geometry": said, "points": entries}),
    )
