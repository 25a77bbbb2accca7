"""SLEAP's analysis as a table: a row for each instance in a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import header_of, table_of
from autoseg.pointfiles.base import Entry, PointFile, place_of

FRAME = "frame_idx"


@POINTFILES.register
class SleapCsv(PointFile):
    """``track,frame_idx,instance.score,tip.x,tip.y,tip.score,...``.

    A file of several frames names them as its cases by number; of one frame, it is of
    the case that its own name tells.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv",)
    holds_many = True
    is_sure = True

    def claims(self, path: Path) -> bool:
        return {FRAME, "instance.score"} <= set(header_of(path))

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        header = rows[0] if rows else []
        if FRAME not in header:
            raise FormatError(f"its header has no {FRAME}, as SLEAP's analysis has.")
        frames: dict[str, list[Mapping[str, str]]] = {}
        for number, row in enumerate(rows[1:], 2):
            if len(row) != len(header):
                raise FormatError(
                    f"row {number} has {len(row)} cells, the header {len(header)}."
                )
            cells = dict(zip(header, row, strict=True))
            frames.setdefault(cells[FRAME], []).append(cells)
        names = [c[:-2] for c in header if c.endswith(".x") and f"{c[:-2]}.y" in header]
        return [
            _entry(frame if len(frames) > 1 else None, frame, instances, names)
            for frame, instances in frames.items()
        ]


def _entry(
    case: str | None,
    frame: str,
    instances: Sequence[Mapping[str, str]],
    names: Sequence[str],
) -> Entry:
    if len(instances) > 1:
        raise FormatError(
            f"frame {frame} has {len(instances)} instances; a landmark task has one "
            "set of points in each image."
        )
    (cells,) = instances
    points: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for name in names:
        points[name] = (place_of([cells[f"{name}.x"], cells[f"{name}.y"]]), None)
        score = cells.get(f"{name}.score", "")
        if score:
            details[name] = {"score": float(score)}
    return Entry(case=case, points=points, details=details)
