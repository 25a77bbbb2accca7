"""Text files of points: tables of cells, and JSON objects."""

from __future__ import annotations

import csv
import functools
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError
from autoseg.spec.foreign.json import keys_of as keys_of
from autoseg.spec.foreign.json import load_json as load_json

# What tables have where a number is missing; of pandas, R and Excel among others.
NOTHING = ("", "nan", "-nan", "none", "null", "na", "n/a", "#n/a", "<na>", "-")
DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


def table_of(path: Path) -> list[list[str]]:
    """Return the rows of a table, cells by semicolon, tab, comma or blanks.

    Between semicolons or tabs, a comma inside of a number is its decimal point.

    Parameters
    ----------
    path : Path
        A text file. What was read last is kept until the file changes.

    Returns
    -------
    list of list of str
        Cells without blanks around them; leave them as they are.
    """
    status = path.stat()
    return _table(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _table(path: Path, *_: int) -> list[list[str]]:
    text = path.read_text(encoding="utf-8-sig")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    try:
        delimiter = _delimiter(lines)
        if delimiter is None:
            return [line.split() for line in lines]
        rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=delimiter)
        clean = str.strip if delimiter == "," else _with_point
        return [[clean(cell) for cell in row] for row in rows]
    except csv.Error as error:
        raise FormatError(f"it is no table ({error}).") from None


def header_of(path: Path) -> list[str]:
    """Return the first row of a table in lower case; nothing if it is no text."""
    try:
        rows = table_of(path)
    except (FormatError, UnicodeDecodeError, OSError):
        return []
    return [cell.lower() for cell in rows[0]] if rows else []


def is_number(text: str) -> bool:
    """Return whether a cell is a number, or says that there is none."""
    try:
        float(text)
    except ValueError:
        return text.strip().lower() in NOTHING
    return True


def _delimiter(lines: Sequence[str]) -> str | None:
    """Return what divides cells: what gives all rows equally many, if anything does."""
    for delimiter in (";", "\t", ","):
        counts = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
        if len(counts) == 1 and counts != {1}:
            return delimiter
    decimals = re.sub(r"\d,\d", "", lines[0])
    there = [mark for mark in (",", ";", "\t") if mark in decimals]
    return there[0] if there else "," if "," in lines[0] else None


def _with_point(cell: str) -> str:
    """Return a cell, a number with a decimal point."""
    cell = cell.strip()
    return cell.replace(",", ".") if DECIMAL.fullmatch(cell) else cell


FLAGS = ("low_confidence", "plausible")
"""Details of a point that are true or false; NaN where nobody knows."""


def rounded(value: Any) -> Any:
    """Return numbers as JSON can hold them: NaN is null, 6 digits after the point."""
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
