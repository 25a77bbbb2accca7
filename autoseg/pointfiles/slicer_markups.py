"""3D Slicer's markups: ``.mrk.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import keys_of, load_json, rounded
from autoseg.pointfiles.base import Entry, Item, PointFile
from autoseg.pointfiles.convention import Convention
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
        stated = Convention(space="physical", frame=FRAMES[frames.pop()])
        return [Entry(case=None, points=points, stated=stated)]

    def text(self, items: Sequence[Item]) -> str:
        (item,) = items
        points = item.points
        places = self.convention.from_index(points.coordinates, item.geometry)
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
            "coordinateUnits": "mm",
            "controlPoints": rounded(controls),
        }
        return json.dumps({"@schema": SCHEMA, "markups": [markup]}, indent=1) + "\n"


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
