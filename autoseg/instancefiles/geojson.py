"""Outlines as GeoJSON (RFC 7946) that QuPath opens as detections.

Coordinates are pixels with the origin in the image's top left corner, as QuPath counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from autoseg.instancefiles._listing import write_listing
from autoseg.instancefiles.measure import Measured
from autoseg.instancefiles.outline import outlines
from autoseg.instancefiles.planes import planes_of
from autoseg.spec.foreign.looks import Color
from autoseg.spec.instances import Instances

NO_COLORS: Mapping[str, Color] = MappingProxyType({})


def write_geojson(
    path: Path,
    instances: Instances,
    measured: Measured,
    *,
    classes: Mapping[int, str],
    colors: Mapping[str, Color] = NO_COLORS,
) -> None:
    """Write a feature for each instance; in 3-D for each of its slices.

    Parameters
    ----------
    path : Path
        The file, written atomically.
    instances : Instances
        The map, shape (Y, X) or (Z, Y, X).
    measured : Measured
        Of it.
    classes : mapping of int to str
        Names of classes by number.
    colors : mapping of str to tuple of int
        Of classes that have one: red, green and blue.
    """
    features = (
        _feature(plane.z, plane.pieces, plane.number, measured, classes, colors)
        for plane in planes_of(instances, measured)
    )
    write_listing(path, {"type": "FeatureCollection"}, "features", features)


def write_regions(
    path: Path,
    labels: NDArray[Any],
    names: Mapping[int, str],
    colors: Mapping[str, Color] = NO_COLORS,
) -> None:
    """Write a feature for each class of a label map; in 3-D for each of its slices.

    Parameters
    ----------
    path : Path
        The file, written atomically.
    labels : ndarray of int, shape (Y, X) or (Z, Y, X)
        Values.
    names : mapping of int to str
        Of the classes by value, background left out.
    colors : mapping of str to tuple of int
        See `write_geojson`.
    """
    planes = labels[None] if labels.ndim == 2 else labels
    features = (
        {
            "type": "Feature",
            "geometry": _geometry(z, outlines(plane == value)),
            "properties": {
                "objectType": "annotation",
                "classification": _classification(name, colors),
            },
        }
        for value, name in names.items()
        for z, plane in enumerate(planes)
        if (plane == value).any()
    )
    write_listing(path, {"type": "FeatureCollection"}, "features", features)


def _geometry(z: int, pieces: Any) -> dict[str, Any]:
    closed = [[[*ring, ring[0]] for ring in rings] for rings in pieces]
    one = len(closed) == 1
    return {
        "type": "Polygon" if one else "MultiPolygon",
        "coordinates": closed[0] if one else closed,
        "plane": {"c": -1, "z": z, "t": 0},
    }


def _classification(name: str, colors: Mapping[str, Color]) -> dict[str, Any]:
    color = colors.get(name)
    return {"name": name} if color is None else {"name": name, "color": list(color)}


def _feature(
    z: int,
    pieces: Any,
    number: int,
    measured: Measured,
    classes: Mapping[int, str],
    colors: Mapping[str, Color],
) -> dict[str, Any]:
    kind, score = int(measured.classes[number]), float(measured.scores[number])
    measurements = {"size": float(measured.sizes[number])}
    if not math.isnan(score):
        measurements["score"] = score
    return {
        "type": "Feature",
        "geometry": _geometry(z, pieces),
        "properties": {
            "objectType": "detection",
            "name": str(int(measured.ids[number])),
            "classification": _classification(classes.get(kind, str(kind)), colors),
            "measurements": measurements,
        },
    }
