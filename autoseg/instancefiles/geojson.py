"""Outlines as GeoJSON (RFC 7946) that QuPath opens as detections.

Coordinates are pixels with the origin in the image's top left corner, as QuPath counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.instancefiles._listing import write_listing
from autoseg.instancefiles.measure import Measured
from autoseg.instancefiles.planes import planes_of
from autoseg.spec.instances import Instances


def write_geojson(
    path: Path, instances: Instances, measured: Measured, *, classes: Mapping[int, str]
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
    """
    features = (
        _feature(plane.z, plane.pieces, plane.number, measured, classes)
        for plane in planes_of(instances, measured)
    )
    write_listing(path, {"type": "FeatureCollection"}, "features", features)


def _feature(
    z: int, pieces: Any, number: int, measured: Measured, classes: Mapping[int, str]
) -> dict[str, Any]:
    closed = [[[*ring, ring[0]] for ring in rings] for rings in pieces]
    one = len(closed) == 1
    kind, score = int(measured.classes[number]), float(measured.scores[number])
    measurements = {"size": float(measured.sizes[number])}
    if not math.isnan(score):
        measurements["score"] = score
    return {
        "type": "Feature",
        "geometry": {
            "type": "Polygon" if one else "MultiPolygon",
            "coordinates": closed[0] if one else closed,
            "plane": {"c": -1, "z": z, "t": 0},
        },
        "properties": {
            "objectType": "detection",
            "name": str(int(measured.ids[number])),
            "classification": {"name": classes.get(kind, str(kind))},
            "measurements": measurements,
        },
    }
