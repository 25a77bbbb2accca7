"""Text of the ISBI 2015 challenge of X-rays of the skull: points, then diagnoses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import is_number, table_of
from autoseg.pointfiles.base import Entry, PointFile, in_order


@POINTFILES.register
class IsbiText(PointFile):
    """Rows ``x,y`` in the order of the landmarks, then rows of one number each.

    The numbers are classes of the skull's anatomy (Wang et al.,
    doi:10.1016/j.media.2016.02.004) and are left out.
    """

    endings: ClassVar[tuple[str, ...]] = (".txt",)

    def claims(self, path: Path) -> bool:
        try:
            return _points(table_of(path)) > 0
        except (FormatError, UnicodeDecodeError, OSError):
            return False

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        points = _points(rows)
        if not points:
            raise FormatError("it must hold rows x,y and then rows of one number.")
        return [in_order(None, rows[:points])]


def _points(rows: list[list[str]]) -> int:
    """Return how many rows are points, 0 if the file is of another kind."""
    lengths = [len(row) for row in rows]
    points = lengths.index(1) if 1 in lengths else 0
    if set(lengths[:points]) != {2} or set(lengths[points:]) != {1}:
        return 0
    return points if all(is_number(cell) for row in rows for cell in row) else 0
