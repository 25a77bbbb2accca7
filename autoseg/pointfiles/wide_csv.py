"""Wide tables: a row for each case; and bare lists of points."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError, some_of
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import header_of, is_number, table_of
from autoseg.pointfiles.base import Entry, PointFile, image_case, in_order, place_of

CASE = re.compile(r"(case|id|image|file|name)", re.IGNORECASE)
# "tip_x", "tip.x", "tip x" and "x_tip", "x1"
AFTER = re.compile(r"(.+?)[\W_]*([xyz])", re.IGNORECASE)
BEFORE = re.compile(r"([xyz])[\W_]*(.+)", re.IGNORECASE)


@POINTFILES.register
class WideCsv(PointFile):
    """``case,tip_x,tip_y,root_x,root_y`` or ``case,x1,y1,x2,y2``.

    The first column is the case or the image's file name. Without a header, and where
    landmarks are numbers, the order is that of the landmarks. A file of nothing but
    two or three numbers in each row is a list of points of one case, in order. Missing
    coordinates are empty, NaN or -1 throughout.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt")
    holds_many = True

    def claims(self, path: Path) -> bool:
        header = set(header_of(path))
        return not ({"x", "y"} <= header and {"landmark", "name", "label"} & header)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        if not rows:
            raise FormatError("it is empty.")
        lengths = {len(row) for row in rows}
        if len(lengths) > 1:
            found = some_of(sorted(lengths), 4, between=" or ")
            raise FormatError(f"its rows have {found} cells; they must agree.")
        if [cell.lower() for cell in rows[0]] in (["x", "y"], ["x", "y", "z"]):
            rows = rows[1:]
            return [in_order(None, rows)]
        if len(rows[0]) in (2, 3) and all(map(is_number, rows[0])):
            return [in_order(None, rows)]
        if all(map(is_number, rows[0][1:])):
            return [in_order(image_case(r[0]), _grouped(r[1:], count)) for r in rows]
        if not rows[0][0] and len(rows[0]) > 1:  # pandas counts rows in front
            rows = [row[1:] for row in rows]
        columns = _columns(rows[0])
        return [_entry(row, columns) for row in rows[1:]]


def _columns(header: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the column of each axis, by landmark."""
    for before_first in (False, True):  # in "x_apex" both letters at the ends fit
        columns: dict[str, dict[str, int]] = {}
        for number, cell in enumerate(header):
            after, before = AFTER.fullmatch(cell), BEFORE.fullmatch(cell)
            if number == 0 or (CASE.fullmatch(cell) and not columns):
                continue
            if after and not (before and before_first):
                columns.setdefault(after[1], {})[after[2].lower()] = number
            elif before:
                columns.setdefault(before[2], {})[before[1].lower()] = number
        axes = [set(of) for of in columns.values()]
        if axes and all(of in ({*"xy"}, {*"xyz"}) for of in axes):
            return columns
    raise FormatError(
        f"its columns are {', '.join(header[:8])}, ...; give case,tip_x,tip_y,... or "
        "the columns case,landmark,x,y,z."
    )


def _entry(row: Sequence[str], columns: dict[str, dict[str, int]]) -> Entry:
    points: dict[str, Any] = {}
    for name, axes in columns.items():
        place = place_of([row[axes[axis]] for axis in "xyz" if axis in axes])
        points[name] = (place, None)
    numbers = all(name.isdigit() for name in points)
    if numbers and "0" in points:
        points = {str(int(name) + 1): point for name, point in points.items()}
    return Entry(case=image_case(row[0]), points=points)


def _grouped(cells: Sequence[str], count: int | None) -> list[Sequence[str]]:
    """Return cells as points of two or three axes."""
    fits = [d for d in (2, 3) if len(cells) == d * (count or len(cells) // d)]
    if len(fits) != 1:
        whose = f" for {count} landmarks" if count else ""
        raise FormatError(
            f"it has {len(cells)} coordinates in a row{whose}; give it a header such "
            "as case,x1,y1,x2,y2."
        )
    (dim,) = fits
    return [cells[i : i + dim] for i in range(0, len(cells), dim)]
