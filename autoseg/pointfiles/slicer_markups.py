"""3D Slicer's markups: ``.mrk.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats.header import as_filed
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import keys_of, load_json, rounded
from autoseg.pointfiles.base import Entry, Item, PointFile
from autoseg.pointfiles.convention import Convention
from autoseg.spec.foreign.units import unit_of
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    "Resources/Schema/markups-schema-v1.0.3.json#"
)
# Slicer: defined, preview (under the mouse), undefined (a skipped place in a template),
# missing (looked for, and not there).
STATUS = {
    "defined": PRESENT,
    "missing": ABSENT,
    "undefined": UNKNOWN,
    "preview": UNKNOWN,
}
WRITTEN = {PRESENT: "defined", ABSENT: "missing", UNKNOWN: "undefined"}
SCHEME = "UCUM"  # of coded units
CODES = "|"  # between the parts of an entry that is one text
FRAMES = {"lps": "LPS", "1": "LPS", "ras": "RAS", "0": "RAS"}


@POINTFILES.register
class SlicerMarkups(PointFile):
    """Control points with labels; LPS unless ``coordinateSystem`` says RAS."""

    endings: ClassVar[tuple[str, ...]] = (".mrk.json", ".json")
    convention = Convention(space="physical", frame="LPS")
    written_ending = ".mrk.json"

    def claims(self, path: Path) -> bool:
        return path.name.lower().endswith(".mrk.json") or "markups" in keys_of(path)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        raw = load_json(path)
        markups = raw.get("markups") if isinstance(raw, dict) else None
        if not isinstance(markups, list) or not markups:
            raise FormatError("it has no `markups`; save a point list from 3D Slicer.")
        frames = {str(of.get("coordinateSystem", "LPS")).lower() for of in markups}
        if len(frames) > 1 or not frames <= set(FRAMES):
            raise FormatError(
                f"`coordinateSystem` is {' and '.join(sorted(frames))}; it must be LPS "
                "or RAS, the same for all."
            )
        points: dict[str, Any] = {}
        for control in (c for of in markups for c in of.get("controlPoints", ())):
            name = str(control.get("label", ""))
            if name in points:
                raise FormatError(f"two control points have the label {name!r}.")
            points[name] = _point(control)
        stated = Convention(
            space="physical", frame=FRAMES[frames.pop()], unit=_unit(markups)
        )
        return [Entry(case=None, points=points, stated=stated)]

    def text(self, items: Sequence[Item]) -> str:
        (item,) = items
        points = item.points
        # Programs compare them with the image's file, so they are in its unit.
        geometry = None if item.geometry is None else as_filed(item.geometry)
        places = self.convention.from_index(points.coordinates, geometry)
        places = np.pad(places, [(0, 0), (0, 3 - points.dim)])
        score = points.details.get("score", np.full(len(places), np.nan))
        controls = [
            {
                "id": str(i + 1),
                "label": name,
                "description": "" if np.isnan(score[i]) else f"score {score[i]:.3f}",
                "position": places[i].tolist() if points.present[i] else [0.0] * 3,
                "positionStatus": WRITTEN[int(points.status[i])],
            }
            for i, name in enumerate(points.names)
        ]
        markup = {
            "type": "Fiducial",
            "coordinateSystem": "LPS",
            "coordinateUnits": geometry.unit if geometry else "mm",
            "controlPoints": rounded(controls),
        }
        if markup["coordinateUnits"] == "px":
            del markup["coordinateUnits"]  # no unit of length is true of pixels
        return json.dumps({"@schema": SCHEMA, "markups": [markup]}, indent=1) + "\n"


def _unit(markups: Sequence[Any]) -> str:
    """Return the unit of all lists of points; empty: they do not say one.

    The value is a word, one for each axis, or entries of a coding scheme: code, scheme
    and meaning, as DICOM has them.
    """
    found: dict[Any, str] = {}
    for of in markups:
        for word in _words(of.get("coordinateUnits")):
            unit = unit_of(word)
            if not unit.known:
                raise FormatError(
                    f"`coordinateUnits` is {word!r}, which is not known; write mm, um "
                    "or another unit of length."
                )
            found[unit.name, unit.factor] = word if unit.has_size else ""
    if len(found) > 1:
        raise FormatError(
            f"`coordinateUnits` is {' and '.join(found.values())}; it must be one for "
            "all."
        )
    return next(iter(found.values()), "")


def _words(value: Any) -> list[str]:
    """Return the words for units in a ``coordinateUnits``."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [_code(value.split(CODES)) if CODES in value else value]
    if isinstance(value, dict):
        entry = value.get("CodeValue", value.get("codeValue", value.get("code", "")))
        return [str(entry)]
    if isinstance(value, list):
        words = [str(entry) for entry in value if not isinstance(entry, list | dict)]
        if len(words) == len(value) and SCHEME in (word.upper() for word in words):
            return [_code(words)]
        return [word for entry in value for word in _words(entry)]
    return [str(value)]


def _code(entry: Sequence[str]) -> str:
    """Return the code of an entry, whatever stands first: scheme, code or meaning."""
    for word in entry:
        if word.upper() != SCHEME and unit_of(word).has_size:
            return word
    return entry[0]


def _point(control: Any) -> tuple[list[float] | None, int | None]:
    word = str(control.get("positionStatus", "defined"))
    if word not in STATUS:
        raise FormatError(
            f"`positionStatus` is {word!r}; there are {', '.join(STATUS)}."
        )
    place = control.get("position")
    if STATUS[word] != PRESENT:
        return None, STATUS[word]
    if not isinstance(place, list) or len(place) != 3:
        raise FormatError(f"a `position` is {place!r}; it must be [x, y, z].")
    return [float(value) for value in place], PRESENT
