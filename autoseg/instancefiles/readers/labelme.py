"""LabelMe's JSON: labeled shapes of one picture."""

from __future__ import annotations

import base64
import binascii
import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

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
from autoseg.instancefiles.readers._shapes import (
    ellipse_places,
    point_places,
    ring_places,
)
from autoseg.spec.foreign.json import keys_of, load_json


@INSTANCEFILES.register
class LabelmeObjects(InstanceFile):
    """``shapes`` that are polygons, rectangles, circles, masks, or points as marks.

    ``label`` is the class; shapes of one class with one ``group_id`` are one object.
    Coordinates are pixels from the picture's top left corner.
    """

    endings: ClassVar[tuple[str, ...]] = (".json",)

    def claims(self, path: Path) -> bool:
        return "shapes" in keys_of(path)

    def parse(self, path: Path) -> Content:
        raw = load_json(path)
        shapes = raw.get("shapes") if isinstance(raw, dict) else None
        if not isinstance(shapes, list):
            raise FormatError("it has no list of `shapes`. Save it again with LabelMe.")
        height, width = raw.get("imageHeight"), raw.get("imageWidth")
        known = all(isinstance(v, int) and v > 0 for v in (height, width))
        picture = Picture(
            case=None,
            objects=[_drawn(shape, n) for n, shape in enumerate(shapes, 1)],
            shape=(height, width) if known else None,
            called=str(raw.get("imagePath") or ""),
        )
        return Content(pictures=[picture])


def _drawn(shape: Any, number: int) -> Drawn:
    shape = shape if isinstance(shape, Mapping) else {}
    label, group = text_of(shape.get("label")), shape.get("group_id")
    return Drawn(
        name=f"shape {number}" + (f" ({label})" if label else ""),
        draw=functools.partial(_places, shape),
        kind=label,
        mark="point" if shape.get("shape_type") == "point" else "",
        part_of=None if group is None else f"{label or 'group'} {group}",
    )


def _places(shape: Mapping[str, Any], size: tuple[int, int]) -> Places:
    kind = shape.get("shape_type") or "polygon"
    points = np.asarray(shape.get("points", ()), dtype=float)
    if kind == "point":
        return point_places(points, size)
    if kind == "polygon":
        return ring_places(points, size)
    if kind not in ("rectangle", "circle", "mask"):
        raise ValueError(f"a {kind} has no area")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2:
        raise ValueError(f"a {kind} needs two points")
    low, high = points.min(axis=0), points.max(axis=0)
    if kind == "rectangle":
        (left, top), (right, bottom) = low, high
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return ring_places(corners, size)
    if kind == "circle":  # its middle, and a point on it
        radius = float(np.hypot(*(points[1] - points[0])))
        return ellipse_places(points[0].tolist(), (radius, radius), size)
    return _masked(shape.get("mask"), low, size)


def _masked(text: Any, corner: np.ndarray, size: tuple[int, int]) -> Places:
    """Return the pixels of a mask, a PNG in base64 whose first pixel is at a corner."""
    from PIL import Image

    try:
        data = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(data)) as picture:
            mask = np.asarray(picture.convert("L")) > 0
    except (TypeError, ValueError, binascii.Error, OSError) as error:
        raise ValueError(f"its mask cannot be read ({error})") from None
    rows, columns = np.nonzero(mask)
    rows, columns = rows + int(corner[1]), columns + int(corner[0])
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return rows[inside], columns[inside]
