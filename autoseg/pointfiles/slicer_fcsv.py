"""3D Slicer's older lists of points: ``.fcsv``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile, place_of
from autoseg.pointfiles.convention import Convention

COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID".split(",")
SYSTEMS = {
    "0": Convention(space="physical", frame="RAS"),
    "ras": Convention(space="physical", frame="RAS"),
    "1": Convention(space="physical", frame="LPS"),
    "lps": Convention(space="physical", frame="LPS"),
    "2": Convention(),
    "ijk": Convention(),
}


@POINTFILES.register
class SlicerFcsv(PointFile):
    """Comments say the frame and the columns; without them RAS, Slicer's columns.

    Read only: Slicer itself has given the format up for ``.mrk.json``.
    """

    endings: ClassVar[tuple[str, ...]] = (".fcsv",)
    convention = SYSTEMS["ras"]

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        columns, stated = COLUMNS, None
        points: dict[str, Any] = {}
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if line.startswith("#"):
                key, _, value = line.lstrip("# ").partition("=")
                if key.strip().lower() == "coordinatesystem":
                    stated = _system(value.strip())
                if key.strip().lower() == "columns":
                    columns = [cell.strip() for cell in value.split(",")]
                continue
            if not line.strip():
                continue
            cells = next(csv.reader([line]))
            row = dict(zip(columns, cells, strict=False))
            if not {"x", "y", "z", "label"} <= set(row):
                raise FormatError(f"{line[:60]!r} lacks x, y, z or label.")
            if row["label"] in points:
                raise FormatError(f"two points have the label {row['label']!r}.")
            points[row["label"]] = (place_of([row[axis] for axis in "xyz"]), None)
        return [Entry(case=None, points=points, stated=stated)]


def _system(value: str) -> Convention:
    if value.lower() not in SYSTEMS:
        raise FormatError(f"`CoordinateSystem` is {value!r}; it must be RAS or LPS.")
    return SYSTEMS[value.lower()]
