"""LabelMe's JSON: shapes that are points."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import keys_of, load_json
from autoseg.pointfiles.base import Entry, PointFile, place_of


@POINTFILES.register
class LabelmePoints(PointFile):
    """``label`` of each shape of the type ``point`` is the landmark.

    Shapes of other types are left out.
    """

    endings: ClassVar[tuple[str, ...]] = (".json",)

    def claims(self, path: Path) -> bool:
        return "shapes" in keys_of(path)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        raw = load_json(path)
        shapes = raw.get("shapes") if isinstance(raw, dict) else None
        if not isinstance(shapes, list) or not all(isinstance(s, dict) for s in shapes):
            raise FormatError("it has no list of `shapes`. Save it again with LabelMe.")
        points: dict[str, Any] = {}
        for shape in shapes:
            if shape.get("shape_type") != "point":
                continue
            name, corners = str(shape.get("label") or ""), shape.get("points")
            lists = isinstance(corners, list) and all(
                isinstance(corner, list) for corner in corners
            )
            if not lists or len(corners) != 1:
                raise FormatError(f"the point {name!r} has no place; draw it again.")
            if name in points:
                raise FormatError(f"two points have the label {name!r}.")
            points[name] = (place_of(corners[0]), None)
        if shapes and not points:
            raise FormatError(
                "none of its shapes is a point; draw landmarks as points."
            )
        size = raw.get("imageHeight"), raw.get("imageWidth")
        known = all(isinstance(value, int) and value > 0 for value in size)
        return [Entry(case=None, points=points, shape=size if known else None)]
