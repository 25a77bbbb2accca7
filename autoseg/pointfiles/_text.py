"""Text files of points: JSON objects, and tables of cells."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError


def load_json(path: Path) -> Any:
    """Return what a JSON file holds; NaN is taken, as many tools write it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise FormatError("no JSON of points: its brackets are too deep.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, unless a key comes twice: the first would be lost silently."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FormatError(f"it has {twice!r} twice. Leave one.")
    return found


def keys_of(path: Path) -> set[str]:
    """Return the keys of the object that a JSON file holds; none if it is none."""
    try:
        raw = load_json(path)
    except (FormatError, UnicodeDecodeError, OSError):
        return set()
    return set(raw) if isinstance(raw, dict) else set()


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
