"""3D Slicer's older lists of points: ``.fcsv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile, place_of
from autoseg.pointfiles.convention import Convention
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN

COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID".split(",")
SYSTEMS = {
    "0": Convention(space="physical", frame="RAS"),
    "ras": Convention(space="physical", frame="RAS"),
    "1": Convention(space="physical", frame="LPS"),
    "lps": Convention(space="physical", frame="LPS"),
    "2": Convention(),
    "ijk": Convention(),
}
# vtkMRMLMarkupsNode.h of 3D Slicer 5 numbers what a control point is. The number stands
# behind the columns that the header names, and has no name itself.
STATUS = {"0": UNKNOWN, "1": UNKNOWN, "2": PRESENT, "3": ABSENT}


@POINTFILES.register
class SlicerFcsv(PointFile):
    """Comments say the frame and the columns; without them RAS, Slicer's columns.

    Slicer 5 writes two numbers more in each row, the first of which is the point's
    status. Read only: Slicer itself has given the format up for ``.mrk.json``.
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
            points[row["label"]] = _point(row, cells[len(columns) :])
        return [Entry(case=None, points=points, stated=stated)]


def _point(
    row: Mapping[str, str], behind: Sequence[str]
) -> tuple[list[float] | None, int | None]:
    """Return coordinates and status of a row; Slicer 4 writes nothing behind it."""
    # A comma in a description that nobody quoted puts more cells in front of the two.
    number = "".join(behind[-2:-1] or behind).strip()
    if number.isdecimal() and number not in STATUS:
        raise FormatError(
            f"{row['label']!r} has the status {number!r}; Slicer numbers 0 undefined, "
            "1 preview, 2 defined, 3 missing."
        )
    if STATUS.get(number, PRESENT) != PRESENT:
        return None, STATUS[number]  # its coordinates are zeros that nobody set
    return place_of([row[axis] for axis in "xyz"]), None


def _system(value: str) -> Convention:
    if value.lower() not in SYSTEMS:
        raise FormatError(f"`CoordinateSystem` is {value!r}; it must be RAS or LPS.")
    return SYSTEMS[value.lower()]
