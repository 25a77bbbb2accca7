"""JSON: points by name, of one case or of many; autoseg's own predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import FLAGS, keys_of, load_json, rounded
from autoseg.pointfiles.base import Entry, Item, PointFile, place_of, status_of
from autoseg.pointfiles.convention import Convention
from autoseg.spec.json import dumps
from autoseg.spec.points import STATUS

# Keys of Slicer's, COCO's and LabelMe's files.
OTHERS = ({"markups"}, {"annotations", "categories"}, {"shapes"})
OF_POINT = ("position", "coordinates", "status", "present")
PHYSICAL = "physical_lps_"  # and the unit
RADIUS = "error_p"  # quantiles of the error, in the image's unit
SYSTEMS = {
    "voxel_xy": Convention(),
    "voxel_xyz": Convention(),
    "voxel_yx": Convention(order="zyx"),
    "voxel_zyx": Convention(order="zyx"),
    "index": Convention(order="zyx"),
    "lps": Convention(space="physical", frame="LPS"),
    "ras": Convention(space="physical", frame="RAS"),
}


@POINTFILES.register
class JsonPoints(PointFile):
    """``{"coordinate_system": "voxel_xyz", "points": {"tip": [x, y, z]}}``.

    ``points`` alone is enough, and so is the object inside it; of many cases it is
    ``{"CASE": {"tip": [x, y, z]}}``, as nnLandmark's all_landmarks_voxel.json is.
    ``null`` is no coordinates, ``status`` says what that means. It is written with an
    object for each point: status, coordinates by index, slowest axis first, the same in
    physical units, and details; and with the geometry of the image.
    """

    endings: ClassVar[tuple[str, ...]] = (".json",)
    written_ending = ".json"
    holds_many = True

    def claims(self, path: Path) -> bool:
        keys = keys_of(path)
        return not any(other <= keys for other in OTHERS)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        raw = load_json(path)
        if not isinstance(raw, dict):
            raise FormatError("it must hold an object in braces, points by name.")
        if "cases" in raw and isinstance(raw["cases"], dict):
            shared = {k: v for k, v in raw.items() if k == "coordinate_system"}
            return [_entry(c, {**shared, **of}) for c, of in raw["cases"].items()]
        if "points" in raw:
            return [_entry(None, raw)]
        if raw and all(_holds_points(value) for value in raw.values()):
            return [
                _entry(case, of if "points" in of else {"points": of})
                for case, of in raw.items()
            ]
        return [_entry(None, {"points": raw})]

    def text(self, items: Sequence[Item]) -> str:
        cases = {item.case: _written(item) for item in items}
        return dumps(
            next(iter(cases.values())) if len(cases) == 1 else {"cases": cases}
        )


def _holds_points(value: Any) -> bool:
    """Say whether this is a case: an object of points, and not one point."""
    return isinstance(value, dict) and not set(OF_POINT) & set(value)


def _entry(case: str | None, raw: Mapping[str, Any]) -> Entry:
    points, status = raw.get("points"), raw.get("status", {})
    if not isinstance(points, dict) or not isinstance(status, dict):
        raise FormatError("`points` and `status` must be objects, by landmark.")
    system = str(raw.get("coordinate_system", "")).lower()
    if system and system not in SYSTEMS:
        raise FormatError(
            f"`coordinate_system` is {raw['coordinate_system']!r}; there are "
            f"{', '.join(SYSTEMS)}."
        )
    beside = {
        name: {
            _said(key): value
            for key, value in of.items()
            if key not in OF_POINT and not key.startswith(PHYSICAL)
        }
        for name, of in points.items()
        if isinstance(of, dict)
    }
    details = raw.get("details", beside)
    return Entry(
        case=case,
        points={name: _point(p, status.get(name, "")) for name, p in points.items()},
        stated=SYSTEMS.get(system),
        details=details if isinstance(details, dict) else {},
    )


def _point(raw: Any, status: Any) -> tuple[list[float] | None, int | None]:
    """Return coordinates and status of a list, an object with ``position`` or null."""
    if isinstance(raw, dict):
        place = raw.get("position", raw.get("coordinates"))
        raw, status = place, raw.get("status", status)
    if raw is not None and (not isinstance(raw, list) or len(raw) not in (2, 3)):
        raise FormatError(f"a point is {raw!r}; it must be [x, y], [x, y, z] or null.")
    return None if raw is None else place_of(raw), status_of(str(status or ""))


def _written(item: Item) -> dict[str, Any]:
    """Return a case as JSON values, with physical coordinates for other programs."""
    points, geometry = item.points, item.geometry
    content: dict[str, Any] = {"coordinate_system": "index"}
    unit = "px" if geometry is None else geometry.unit
    physical = None
    if geometry is not None:
        content["geometry"] = {
            name: list(getattr(geometry, name))
            for name in ("shape", "spacing", "origin", "direction")
        } | {"unit": unit}
        if unit != "px":
            lps = Convention(space="physical", unit=unit)
            physical = lps.from_index(points.coordinates, geometry)
    entries: dict[str, Any] = {}
    for i, name in enumerate(points.names):
        there = bool(points.present[i])
        entry: dict[str, Any] = {
            "status": STATUS[points.status[i]],
            "present": there,
            "coordinates": points.coordinates[i].tolist() if there else None,
        }
        if physical is not None:
            entry[f"{PHYSICAL}{unit}"] = physical[i].tolist() if there else None
        for key, values in points.details.items():
            said = f"{key}_{unit}" if key.startswith(RADIUS) else key
            entry[said] = _detail(key, np.asarray(values[i]))
        entries[name] = entry
    return dict(rounded({**content, "points": entries}))


def _detail(key: str, value: Any) -> Any:
    """Return a detail as JSON; null where it is not known."""
    if not np.isfinite(value).all():
        return None
    return bool(value) if key in FLAGS else value.tolist()


def _said(key: str) -> str:
    """Return a detail's name without the unit that it was written with."""
    match = re.fullmatch(rf"({RADIUS}\d+)_\w+", key)
    return match[1] if match else key
