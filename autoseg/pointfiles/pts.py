"""Points of faces: ``.pts``, as 300-W has them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile, in_order
from autoseg.pointfiles.convention import Convention


@POINTFILES.register
class Pts(PointFile):
    """``n_points: 68`` and a row ``x y`` for each, in braces, in order.

    The first pixel is (1, 1): 300-W was annotated with MATLAB
    (https://ibug.doc.ic.ac.uk/resources/300-W/).
    """

    endings: ClassVar[tuple[str, ...]] = (".pts",)
    convention = Convention(first=1.0)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        text = path.read_text(encoding="utf-8-sig")
        head, brace, rest = text.partition("{")
        rows = [line.split() for line in rest.partition("}")[0].splitlines()]
        rows = [row for row in rows if row]
        if not brace or any(len(row) not in (2, 3) for row in rows):
            raise FormatError("it must hold rows of x y in braces.")
        for line in head.splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "n_points" and value.strip() != str(len(rows)):
                raise FormatError(f"it says{value} points and has {len(rows)}.")
        return [in_order(None, rows)]
