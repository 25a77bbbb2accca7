"""DeepLabCut's tables: scorer, bodyparts and coords above the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from autoseg.errors import FormatError
from autoseg.formats.names import image_case
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import header_of, table_of
from autoseg.pointfiles.base import Entry, PointFile, place_of

HEADS = ("scorer", "individuals", "bodyparts", "coords")


@POINTFILES.register
class DeepLabCutCsv(PointFile):
    """``CollectedData_ME.csv``, and tables of predictions with ``likelihood``.

    The first columns are the image's path, in one or several cells, or the number of a
    frame. Of several ``individuals`` one may have points in an image.
    """

    endings: ClassVar[tuple[str, ...]] = (".csv",)
    holds_many = True
    is_sure = True

    def claims(self, path: Path) -> bool:
        return header_of(path)[:1] == ["scorer"]

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        rows = table_of(path)
        heads = {row[0].lower(): row for row in rows[:4] if row[0].lower() in HEADS}
        if not {"bodyparts", "coords"} <= set(heads):
            raise FormatError(
                "its first rows must be scorer, bodyparts and coords, as DeepLabCut "
                "writes them."
            )
        coords = [cell.lower() for cell in heads["coords"]]
        if len({len(row) for row in rows}) > 1:
            raise FormatError("its rows have different numbers of cells.")
        columns = [i for i, cell in enumerate(coords) if cell in ("x", "y")]
        if not columns:
            raise FormatError("its row `coords` names no x and y.")
        return [_entry(row, heads, coords, columns[0]) for row in rows[len(heads) :]]


def _entry(
    row: Sequence[str],
    heads: Mapping[str, Sequence[str]],
    coords: Sequence[str],
    first: int,
) -> Entry:
    """Return the points of a row whose numbers begin at a column."""
    path = "/".join(cell for cell in row[:first] if cell)
    whose = heads.get("individuals", [""] * len(row))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for i in range(first, len(row)):
        key = whose[i], heads["bodyparts"][i]
        cells.setdefault(key, {})[coords[i]] = row[i]
    places = {}
    for key, of in cells.items():
        try:
            places[key] = place_of([of.get("x", ""), of.get("y", "")])
        except FormatError as error:
            raise FormatError(f"{path!r}, {key[1]!r}: {error}") from None
    seen = dict.fromkeys(who for (who, _), place in places.items() if place)
    if len(seen) > 1:
        raise FormatError(
            f"{path!r} has points of {', '.join(seen)}; a landmark task has one set of "
            "points in each image."
        )
    own = next(iter(seen), whose[first])
    points: dict[str, Any] = {}
    details: dict[str, Any] = {}
    for (who, name), place in places.items():
        if who != own and place is None:
            continue
        points[name] = (place, None)
        if "likelihood" in cells[who, name]:
            details[name] = {"score": _number(cells[who, name]["likelihood"])}
    return Entry(case=image_case(path), points=points, details=details)


def _number(text: str) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        raise FormatError(f"{text!r} is no likelihood.") from None
