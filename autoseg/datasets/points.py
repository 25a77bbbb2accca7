"""Read and write points of a case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import FormatError
from autoseg.spec._json import dumps, write_text
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, STATUS, Points

ENDING = ".json"
SYSTEM = "index"  # ours: voxels, slowest axis first
REVERSED = ("voxel_xy", "voxel_xyz")  # voxels, fastest axis first


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
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        given = raw["points"]
        system = raw.get("coordinate_system", SYSTEM)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} cannot be read as points ({error!r}). Write it again."
        ) from None
    if system not in (SYSTEM, *REVERSED):
        raise FormatError(
            f"{path} has the coordinate system {system!r}; give one of "
            f"{', '.join((SYSTEM, *REVERSED))}."
        )
    geometry = image or _geometry(path, raw)
    return _points(path, given, system in REVERSED, geometry), geometry


def _geometry(path: Path, raw: Mapping[str, Any]) -> Geometry:
    said = raw.get("geometry")
    if not isinstance(said, dict):
        raise FormatError(
            f"{path} does not say which image its points are in. Give the data set."
        )
    return Geometry(
        shape=tuple(said["shape"]), spacing=tuple(said["spacing"]), unit=said["unit"]
    )


def _points(
    path: Path, given: Mapping[str, Any], turned: bool, geometry: Geometry
) -> Points:
    coordinates = np.full((len(given), geometry.dim), np.nan)
    status = np.zeros(len(given), np.int8)
    for i, (name, entry) in enumerate(given.items()):
        place = entry
        if isinstance(entry, dict):
            place = entry.get("coordinates")
            status[i] = STATUS.index(
                entry.get("status", "present" if place else "absent")
            )
        elif place is not None:
            status[i] = PRESENT
        if place is None or status[i] != PRESENT:
            continue
        if len(place) != geometry.dim:
            raise FormatError(
                f"{path}: {name} has {len(place)} coordinates in an image of "
                f"{geometry.dim} axes."
            )
        coordinates[i] = place[::-1] if turned else place
    return Points(tuple(given), coordinates, status, shape=geometry.shape)


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
