"""napari's points: ``index,axis-0,axis-1``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import header_of, table_of
from autoseg.pointfiles.base import Entry, PointFile, in_order, place_of
from autoseg.pointfiles.convention import Convention

AXIS = re.compile(r"axis-(\d+)")
NAMES = ("label", "landmark", "name", "point")


@POINTFILES.register
class NapariPoints(PointFile):
    """A row for each point of one image, axes in the order of the array.

    A whole number is the center of a pixel. A column ``label``, ``landmark``, ``name``
    or ``point`` names the landmarks; without one, they are in order.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv")
    convention = Convention(order="zyx")

    def claims(self, path: Path) -> bool:
        return {"axis-0", "axis-1"} <= set(header_of(path))

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        header = [cell.lower() for cell in rows[0]] if rows else []
        axes = {int(m[1]): i for i, c in enumerate(header) if (m := AXIS.fullmatch(c))}
        if sorted(axes) not in ([0, 1], [0, 1, 2]):
            raise FormatError(
                f"its header is {', '.join(header[:8])}; it must have axis-0 and "
                "axis-1, of volumes axis-2 too. Save the points of one image, without "
                "time."
            )
        short = next((n for n, r in enumerate(rows, 1) if len(r) != len(header)), None)
        if short is not None:
            raise FormatError(f"row {short} has not {len(header)} cells as the header.")
        places = [[row[axes[axis]] for axis in sorted(axes)] for row in rows[1:]]
        named = next((header.index(name) for name in NAMES if name in header), None)
        if named is None:
            return [in_order(None, places)]
        names = [row[named] for row in rows[1:]]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise FormatError(f"two points have the label {twice!r}.")
        points = {n: (place_of(p), None) for n, p in zip(names, places, strict=True)}
        return [Entry(case=None, points=points)]
