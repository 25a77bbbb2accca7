"""Regions of ImageJ's ROI Manager: a zip file of them, or one alone.

Needs the package ``roifile`` (``pip install autoseg[roi]``).
"""

from __future__ import annotations

import functools
import re
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from zipfile import BadZipFile, ZipFile

from autoseg.errors import FormatError
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
)
from autoseg.instancefiles.readers._shapes import (
    ellipse_places,
    even_odd_places,
    point_places,
)

LARGEST = 1 << 26  # bytes of one region: millions of corners
# What autoseg writes: the id, the plane from 1, the piece from 1. ImageJ's own names
# begin with zeros, or have no pieces from 1 on.
OURS = re.compile(r"([1-9]\d*)(?:-z([1-9]\d*))?(?:-([1-9]\d*))?")
NO_AREA = ("LINE", "FREELINE", "POLYLINE", "ANGLE", "POINT", "NOROI")


@INSTANCEFILES.register
class ImagejRois(InstanceFile):
    """Polygons, freehand and traced regions, rectangles, ovals and composites.

    Points mark objects, one each; see `Drawn.mark`.

    Coordinates are pixels from the picture's top left corner. What lies in an odd
    number of a composite's paths is inside. A group over 0 is the class. In a volume
    the position is the plane, and the regions of one object have one name, such as
    ``5-z1``, ``5-z2``; ``5-1``, ``5-2`` are its pieces.
    """

    endings: ClassVar[tuple[str, ...]] = (".zip", ".roi")

    def parse(self, path: Path) -> Content:
        try:
            import roifile
        except ImportError:
            raise FormatError(
                "regions of ImageJ need the package roifile: pip install roifile."
            ) from None
        rois = []
        for name, data in _entries(path):
            try:
                roi = roifile.ImagejRoi.frombytes(data)
            except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
                raise FormatError(
                    f"{name} is no region of ImageJ ({error}). Save the regions again."
                ) from None
            rois.append((str(roi.name or Path(name).stem), roi))
        return Content(pictures=[Picture(case=None, objects=_objects(rois))])


def _entries(path: Path) -> list[tuple[str, bytes]]:
    """Return the regions of a file with their names."""
    if path.suffix.lower() == ".roi":
        return [(path.name, path.read_bytes())]
    try:
        with ZipFile(path) as file:
            inside = [one for one in file.infolist() if one.filename.endswith(".roi")]
            for one in inside:
                if one.file_size > LARGEST:
                    raise FormatError(f"{one.filename} says that it has gigabytes.")
            return [(one.filename, file.read(one)) for one in inside]
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise FormatError(
            f"it is no zip file that can be read ({error}). Save the regions again."
        ) from None


def _objects(rois: Sequence[tuple[str, Any]]) -> list[Drawn]:
    parts = _parts([name for name, _ in rois])
    planes = [_plane(roi) for _, roi in rois]
    several = len(set(planes)) > 1
    by_name: dict[str, set[int | None]] = defaultdict(set)
    for (name, _), plane in zip(rois, planes, strict=True):
        by_name[name].add(plane)
    grouped = all(int(roi.group) > 0 for _, roi in rois)
    objects = []
    for (name, roi), plane, part in zip(rois, planes, parts, strict=True):
        if part is None and len(by_name[name]) > 1:
            part = name
        drawn = Drawn(
            name=f"region {name}",
            draw=functools.partial(_places, roi, several and part is None),
            kind=int(roi.group) if grouped else None,
            plane=plane,
            part_of=part,
        )
        objects += _points_of(roi, drawn) or [drawn]
    return objects


def _points_of(roi: Any, drawn: Drawn) -> list[Drawn]:
    """Return an object for each point of a region of points; of others none."""
    if roi.roitype.name != "POINT":
        return []
    return [
        replace(
            drawn, draw=functools.partial(point_places, at), mark="point", part_of=None
        )
        for at in roi.coordinates()
    ]


def _parts(names: Sequence[str]) -> list[str | None]:
    """Return of which object each region is a part, as autoseg names them."""
    found = [OURS.fullmatch(name) for name in names]
    pieces: dict[tuple[str, str | None], set[int]] = defaultdict(set)
    for match in found:
        if match and match[3]:
            pieces[match[1], match[2]].add(int(match[3]))
    whole = {key for key, of in pieces.items() if of == set(range(1, len(of) + 1))}
    return [
        match[1]
        if match
        and (match[2] or match[3])
        and (not match[3] or (match[1], match[2]) in whole)
        else None
        for match in found
    ]


def _plane(roi: Any) -> int | None:
    """Return the plane, from 0: of a hyperstack its z, of a stack its position."""
    number = int(roi.z_position or 0) or int(roi.position or 0)
    return number - 1 if number > 0 else None


def _places(roi: Any, alone: bool, shape: tuple[int, int]) -> Places:
    if alone:
        raise ValueError(
            "it does not say of which object it is a plane; name the regions of one "
            "object alike, such as 5-z1, 5-z2"
        )
    kind = roi.roitype.name
    if kind in NO_AREA:
        raise ValueError(f"a {kind.lower()} has no area")
    if kind == "OVAL" or (kind == "RECT" and roi.multi_coordinates is None):
        left, top, right, bottom = _box(roi)
        if kind == "OVAL":
            center = (left + right) / 2, (top + bottom) / 2
            return ellipse_places(
                center, ((right - left) / 2, (bottom - top) / 2), shape
            )
        ring = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return even_odd_places([ring], shape)
    rings = [path for path in roi.coordinates(multi=True) if len(path) > 2]
    return even_odd_places(rings, shape)


def _box(roi: Any) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom, finer than a pixel where the file is."""
    if roi.subpixelrect:
        left, top = float(roi.xd), float(roi.yd)
        return left, top, left + float(roi.widthd), top + float(roi.heightd)
    return float(roi.left), float(roi.top), float(roi.right), float(roi.bottom)
