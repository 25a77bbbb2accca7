"""From what a file says about a case to points in index space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.errors import FormatError, some_of
from autoseg.pointfiles._kind import Entry
from autoseg.pointfiles.convention import Convention
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, Points


def points_of(
    entry: Entry,
    names: Sequence[str] | None,
    geometry: Geometry | None,
    usual: Convention,
) -> Points:
    """Return the points of an entry in index space."""
    if geometry is not None and entry.shape is not None:
        _must_have_size(entry.shape, geometry.shape)
    named = _rename(list(entry.points), names, entry.in_order)
    rows = {named[key]: row for key, row in entry.points.items()}
    kept = {
        n: row for n, row in rows.items() if row[0] is not None or row[1] is not None
    }
    lengths = {len(place) for place, _ in kept.values() if place is not None}
    if len(lengths) > 1:
        raise FormatError(
            f"its points have {' or '.join(map(str, sorted(lengths)))} numbers. Give "
            "each as many as the image has axes."
        )
    size = lengths.pop() if lengths else (geometry.dim if geometry else 3)
    raw = np.full((len(kept), size), np.nan)
    status = np.full(len(kept), PRESENT, dtype=np.int8)
    for i, (place, known) in enumerate(kept.values()):
        if place is not None:
            raw[i] = place
        if known is not None:
            status[i] = known
    convention = entry.stated or usual
    places = convention.to_index(raw, geometry)
    details = {
        named[key]: value for key, value in entry.details.items() if key in named
    }
    return Points(
        tuple(kept),
        places,
        status,
        _columns(tuple(kept), details),
    )


def _must_have_size(said: Sequence[int], shape: Sequence[int]) -> None:
    """Raise FormatError if the picture has another size than the file says."""
    if tuple(shape[-2:]) == tuple(said):
        return
    hint = " and put the right image there"
    if tuple(shape[-2:]) == tuple(said[::-1]):
        hint = (
            ": one is turned by 90 degrees. Viewers turn pictures by their EXIF "
            "orientation; write the picture as it was seen when it was annotated"
        )
    raise FormatError(
        f"it says that the picture has {said[0]} rows and {said[1]} columns; the image "
        f"has {' x '.join(map(str, shape))}. Compare them{hint}."
    )


def _rename(
    found: list[str], names: Sequence[str] | None, in_order: bool
) -> dict[str, str]:
    """Return the landmark of each name in the file."""
    if in_order and names is not None:
        if len(found) != len(names):
            raise FormatError(
                f"it has {len(found)} points without names; `landmarks` has "
                f"{len(names)}. Give NaN where a point is missing."
            )
        return dict(zip(found, names, strict=True))
    if names is None or set(found) & set(names) or not found:
        return {name: name for name in found}
    if not set(found) <= {str(i) for i in range(1, len(names) + 1)}:
        raise FormatError(
            f"it has the landmarks {some_of(found)}; none of them is in `landmarks`: "
            f"{some_of(names)}. Correct the names in one of them."
        )
    return {name: names[int(name) - 1] for name in found}


def _columns(
    names: Sequence[str], details: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the details as one array of length L for each, NaN where not given."""
    columns: dict[str, Any] = {}
    for key in dict.fromkeys(k for of in details.values() for k in of):
        values = {
            n: np.asarray(of[key])
            for n, of in details.items()
            if of.get(key) is not None
        }
        first = next(iter(values.values()), np.array(""))
        if first.dtype.kind not in "fiub":
            continue
        column = np.full((len(names), *first.shape), np.nan)
        for i, name in enumerate(names):
            if name in values and values[name].shape == first.shape:
                column[i] = values[name]
        columns[key] = column
    return columns
