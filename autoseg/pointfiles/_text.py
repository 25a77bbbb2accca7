"""Text files of points: tables of cells, and JSON objects."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from autoseg.spec.foreign import keys_of as keys_of
from autoseg.spec.foreign import load_json as load_json


def table_of(path: Path) -> list[list[str]]:
    """Return the rows of a table, cells by comma, semicolon, tab or blanks."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    for delimiter in (",", ";", "\t"):
        if delimiter in lines[0]:
            rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
            return [[cell.strip() for cell in row] for row in rows]
    return [line.split() for line in lines]


def rounded(value: Any) -> Any:
    """Return numbers as JSON can hold them: NaN is null, 6 digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
