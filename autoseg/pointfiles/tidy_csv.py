"""Tidy tables: a row for each landmark."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import FLAGS, header_of, rounded, table_of
from autoseg.pointfiles.base import (
    Entry,
    Item,
    PointFile,
    image_case,
    place_of,
    status_of,
)
from autoseg.spec.points import STATUS

WORDS = ("false", "true")
LANDMARK = ("landmark", "name", "label", "point")
CASE = ("case", "id", "image", "file", "filename", "case_id", "image_id")


@POINTFILES.register
class TidyCsv(PointFile):
    """``case,landmark,x,y,z,status``; ``case``, ``z`` and ``status`` may be missing.

    Cells are divided by commas, semicolons or tabs. ``case`` may be the image's file
    name. Coordinates that are empty or NaN are missing; ``status`` says what that
    means. Other columns of numbers are details of a prediction, such as ``score``.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt")
    written_ending = ".csv"
    holds_many = True

    def claims(self, path: Path) -> bool:
        header = set(header_of(path))
        return {"x", "y"} <= header and bool(set(LANDMARK) & header)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        header = [cell.lower() for cell in rows[0]] if rows else []
        landmark = next((header.index(n) for n in LANDMARK if n in header), -1)
        if landmark < 0 or not {"x", "y"} <= set(header):
            raise FormatError("its header must name landmark, x and y.")
        case = next((header.index(name) for name in CASE if name in header), None)
        axes = [header.index(axis) for axis in "xyz" if axis in header]
        status = header.index("status") if "status" in header else None
        used = {landmark, case, status, *axes}
        others = [i for i in range(len(header)) if i not in used]
        cases: dict[str | None, tuple[dict[str, Any], dict[str, Any]]] = {}
        for number, row in enumerate(rows[1:], start=2):
            if len(row) != len(header):
                raise FormatError(
                    f"row {number} has {len(row)} cells, the header {len(header)}."
                )
            key = None if case is None else image_case(row[case])
            points, details = cases.setdefault(key, ({}, {}))
            name = row[landmark]
            if name in points:
                raise FormatError(f"row {number} names landmark {name!r} again.")
            known = None if status is None else status_of(row[status])
            points[name] = (place_of([row[i] for i in axes]), known)
            details[name] = {header[i]: _number(row[i]) for i in others}
        return [
            Entry(case=key, points=points, details=details)
            for key, (points, details) in cases.items()
        ]

    def text(self, items: Sequence[Item]) -> str:
        dim = items[0].points.dim
        extra = [
            key
            for key, values in items[0].points.details.items()
            if np.ndim(values) == 1
        ]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["case", "landmark", *"xyz"[:dim], "status", *extra])
        for item in items:
            points = item.points
            for i, name in enumerate(points.names):
                place = points.coordinates[i, ::-1].tolist()
                of = [float(points.details[key][i]) for key in extra]
                numbers = ["" if v is None else v for v in rounded([*place, *of])]
                for column, key in enumerate(extra, start=dim):
                    if key in FLAGS and numbers[column] != "":
                        numbers[column] = WORDS[bool(numbers[column])]
                status = STATUS[points.status[i]]
                row = [*numbers[:dim], status, *numbers[dim:]]
                writer.writerow([item.case, name, *row])
        return out.getvalue()


def _number(text: str) -> Any:
    if text in WORDS:
        return float(WORDS.index(text))
    try:
        return float(text or "nan")
    except ValueError:
        return text
