"""Outlines as GeoJSON (RFC 7946), as QuPath and autoseg write them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
    text_of,
)
from autoseg.instancefiles.readers._shapes import point_places, polygon_places
from autoseg.spec.foreign.json import load_json

COLLECTION, FEATURE, GROUP = "FeatureCollection", "Feature", "GeometryCollection"
MARKS = ("Point", "MultiPoint")
AREAS = ("Polygon", "MultiPolygon")
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
        planes = {_plane(feature) for feature in features}
        objects = [
            drawn
            for number, feature in enumerate(features, 1)
            for drawn in _all_drawn(feature, number, len(planes) > 1)
        ]
        return Content(pictures=[Picture(case=None, objects=objects)])


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
        kind=_class(properties.get("classification", properties.get("class"))),
        plane=_plane(feature),
        part_of=name if volume else None,
    )


def _refusing(why: str) -> Any:
    def draw(shape: tuple[int, int]) -> Places:
        raise ValueError(why)

    return draw


def _class(said: Any) -> str | None:
    """Return a class as QuPath writes it: a text, or an object with name or names."""
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
