"""Outlines as GeoJSON (RFC 7946), as QuPath and autoseg write them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError, amount
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
    Remark,
    text_of,
)
from autoseg.instancefiles.readers._shapes import point_places, polygon_places
from autoseg.spec.foreign.json import load_json

COLLECTION, FEATURE, GROUP = "FeatureCollection", "Feature", "GeometryCollection"
MARKS = ("Point", "MultiPoint")
AREAS = ("Polygon", "MultiPolygon")
DETECTED = ("detection", "cell", "tile")  # QuPath's kinds of what it found itself
SEVERAL = 2
UNSAID = "it does not say of which object it is a plane; give its planes one `name`"


@INSTANCEFILES.register
class GeoJsonObjects(InstanceFile):
    """Features with a Polygon or MultiPolygon, holes too; one for each object.

    Points and MultiPoints mark objects, one each; see `Drawn.mark`.

    Coordinates are pixels from the picture's top left corner. ``classification`` is the
    class. In a volume ``geometry.plane.z`` is the plane, from 0, and the planes of one
    object have one ``name``.
    """

    endings: ClassVar[tuple[str, ...]] = (".geojson", ".json")

    def claims(self, path: Path) -> bool:
        if path.name.lower().endswith(".geojson"):
            return True
        try:
            return _features(load_json(path)) is not None
        except (FormatError, ValueError, OSError):
            return False

    def parse(self, path: Path) -> Content:
        features = _features(load_json(path))
        if features is None:
            raise FormatError(
                "it is no GeoJSON of features. Export the objects again, as "
                "FeatureCollection."
            )
        regions = _regions(features)
        meant = [(n, f) for n, f in enumerate(features, 1) if n not in regions]
        planes = {_plane(feature) for _, feature in meant}
        objects = [
            drawn
            for number, feature in meant
            for drawn in _all_drawn(feature, number, len(planes) > 1)
        ]
        remarks = [_left_out(len(regions))] if regions else []
        return Content(pictures=[Picture(case=None, objects=objects)], remarks=remarks)


def _left_out(count: int) -> Remark:
    return Remark(
        found=f"{amount(count, 'annotation')} in which QuPath detected objects, left "
        "out: no objects themselves.",
        fix="Nothing, if that is meant. Else export them without the detections.",
    )


def _regions(features: Sequence[Any]) -> set[int]:
    """Return the numbers of annotations of QuPath that several detections lie in.

    QuPath detects inside of an annotation, which an export of all objects has, too. One
    with a class of its own may be meant, as a gland with its nuclei.
    """
    kinds = [_object(f, "properties").get("objectType") for f in features]
    middles = [
        middle
        for feature, kind in zip(features, kinds, strict=True)
        if kind in DETECTED and (middle := _middle(feature)) is not None
    ]
    if len(middles) < SEVERAL:
        return set()
    found = set()
    for number, (feature, kind) in enumerate(zip(features, kinds, strict=True), 1):
        if kind != "annotation" or _kind_of(feature) is not None:
            continue
        if _count_in(feature, np.array(middles)) >= SEVERAL:
            found.add(number)
    return found


def _corners(feature: Any) -> list[NDArray[np.float64]]:
    """Return the rings of a feature; none of what cannot be drawn."""
    try:
        pieces = _pieces(_object(feature, "geometry"))
        rings = [np.array(ring, np.float64) for piece in pieces for ring in piece]
        return [ring[:, [0, 1]] for ring in rings]
    except (ValueError, TypeError, IndexError):
        return []


def _middle(feature: Any) -> NDArray[np.float64] | None:
    """Return the middle of the box around a feature."""
    rings = [ring for ring in _corners(feature) if len(ring)]
    if not rings:
        return None
    every = np.concatenate(rings)
    middle: NDArray[np.float64] = (every.min(0) + every.max(0)) / 2
    return middle


def _count_in(feature: Any, points: NDArray[np.float64]) -> int:
    """Return how many points (N, 2) lie inside a feature, by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    for ring in _corners(feature):
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, 0), strict=True):
            crosses = (y0 > points[:, 1]) != (y1 > points[:, 1])
            if y0 != y1:
                at = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
                inside ^= crosses & (points[:, 0] < at)
    return int(inside.sum())


def _features(raw: Any) -> list[Any] | None:
    """Return the features of a file; None if it is of another kind."""
    if isinstance(raw, list):
        all_of_them = all(isinstance(f, dict) and f.get("type") == FEATURE for f in raw)
        return raw if raw and all_of_them else None
    if not isinstance(raw, dict):
        return None
    if raw.get("type") == COLLECTION and isinstance(raw.get("features"), list):
        return list(raw["features"])
    if raw.get("type") == FEATURE:
        return [raw]
    if raw.get("type") in (*AREAS, GROUP):
        return [{"type": FEATURE, "geometry": raw}]
    return None


def _object(parent: Any, key: str) -> Mapping[str, Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _plane(feature: Any) -> int | None:
    z = _object(_object(feature, "geometry"), "plane").get("z")
    return z if isinstance(z, int) else None


def _all_drawn(feature: Any, number: int, volume: bool) -> list[Drawn]:
    """Return the object of a feature, or of points, an object for each."""
    one, geometry = _drawn(feature, number, volume), _object(feature, "geometry")
    if geometry.get("type") not in MARKS:
        return [one]
    points = geometry.get("coordinates")
    places: list[Any] = [points]
    if geometry.get("type") == MARKS[1] and isinstance(points, list):
        places = points
    name = f"{one.name}, a {geometry['type']}"
    return [
        replace(
            one,
            name=name,
            mark="point",
            draw=functools.partial(point_places, at),
            part_of=None,
        )
        for at in places
    ]


def _drawn(feature: Any, number: int, volume: bool) -> Drawn:
    properties = _object(feature, "properties")
    name = text_of(properties.get("name"))
    geometry = _object(feature, "geometry")
    draw = functools.partial(_places, geometry)
    return Drawn(
        name=f"feature {number}" + (f" ({name})" if name else ""),
        draw=_refusing(UNSAID) if volume and name is None else draw,
        kind=_kind_of(feature),
        plane=_plane(feature),
        part_of=name if volume else None,
    )


def _refusing(why: str) -> Any:
    def draw(shape: tuple[int, int]) -> Places:
        raise ValueError(why)

    return draw


def _kind_of(feature: Any) -> str | None:
    """Return a class as QuPath writes it: a text, or an object with name or names."""
    properties = _object(feature, "properties")
    said = properties.get("classification", properties.get("class"))
    if isinstance(said, Mapping):
        names = said.get("names")
        if isinstance(names, list) and names and all(isinstance(n, str) for n in names):
            return ": ".join(names)
        said = said.get("name")
    return text_of(said)


def _places(geometry: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    return polygon_places(_pieces(geometry), shape)


def _pieces(geometry: Mapping[str, Any]) -> list[Any]:
    """Return the polygons of a geometry, each the ring around it and those of holes."""
    kind = geometry.get("type")
    if kind == GROUP:
        inner = geometry.get("geometries")
        if not isinstance(inner, list):
            raise ValueError(f"its {GROUP} has no `geometries`")
        return [piece for one in inner for piece in _pieces(one)]
    if kind not in AREAS:
        raise ValueError(f"its geometry is {kind or 'missing'}, which has no area")
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise ValueError("its geometry has no `coordinates`")
    return [coordinates] if kind == AREAS[0] else coordinates
