"""ImageJ's table of results: a row for each point that was measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.formats.names import image_case
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import header_of, table_of
from autoseg.pointfiles.base import Entry, PointFile, place_of

# Columns that ImageJ writes beside X and Y, also where rows have no numbers in front.
MEASURED = {"area", "mean", "counter", "slice", "frame", "ch"}
NAMES = {"landmark", "name", "point", "case", "image", "file", "filename"}
NUMBERS = re.compile(r"[\d\s/-]*")  # of slices and regions, which name no landmark


@POINTFILES.register
class ImagejResults(PointFile):
    """Columns X and Y, with ``Slice`` for z, behind a column of numbers.

    Points are in the order of the landmarks, unless ``Label`` names them as
    ``image:name``, or as ``name`` where there are as many as landmarks. A label with
    several images makes it a table of several cases. Of a calibrated image ImageJ
    writes lengths: then say ``"space": "physical"``.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv", ".txt", ".tsv", ".xls")
    holds_many = True
    is_sure = True

    def claims(self, path: Path) -> bool:
        header = header_of(path)
        numbered = header[:1] in ([""], ["#"]) or bool(MEASURED & set(header))
        named = bool(NAMES & set(header))  # a table that pandas or a person wrote
        return numbered and not named and {"x", "y"} <= set(header)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        header = [cell.lower() for cell in rows[0]] if rows else []
        if not {"x", "y"} <= set(header):
            raise FormatError("its header must have X and Y, as ImageJ's results do.")
        short = next((n for n, r in enumerate(rows, 1) if len(r) != len(header)), None)
        if short is not None:
            raise FormatError(f"row {short} has not {len(header)} cells as the header.")
        column = {
            name: header.index(name)
            for name in ("x", "y", "slice", "label")
            if name in header
        }
        cases: dict[str, list[tuple[str, list[float] | None]]] = {}
        labels = [row[column["label"]] for row in rows[1:] if "label" in column]
        names_only = _are_names(labels, count)
        for row in rows[1:]:
            label = row[column["label"]] if "label" in column else ""
            image, _, rest = (f":{label}" if names_only else label).partition(":")
            place: list[Any] = [row[column["x"]], row[column["y"]]]
            if "slice" in column:
                place.append(_slice(row[column["slice"]]))
            name = rest.partition(":")[0].strip()
            cases.setdefault(image_case(image), []).append((name, place_of(place)))
        return [
            _entry(case if len(cases) > 1 else None, points)
            for case, points in cases.items()
        ]


def _are_names(labels: Sequence[str], count: int | None) -> bool:
    """Return whether labels name landmarks, and not the images of one each."""
    if count is None or count < 2 or len(labels) != count:
        return False
    images = any(":" in one or match_ending(one, known_endings()) for one in labels)
    return len(set(labels)) == count and not images


def _slice(text: str) -> float:
    """Return the index of a slice, which ImageJ counts from 1."""
    try:
        return float(text) - 1
    except ValueError:
        raise FormatError(f"{text!r} is no number of a slice.") from None


def _entry(case: str | None, found: Sequence[tuple[str, list[float] | None]]) -> Entry:
    names = [name for name, _ in found]
    named = len(set(names)) == len(names) and not any(map(NUMBERS.fullmatch, names))
    points = {
        name if named else str(number): (place, None)
        for number, (name, place) in enumerate(found, 1)
    }
    return Entry(case=case, points=points, in_order=not named)
