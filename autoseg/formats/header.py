"""What a geometry remembers of the header it came from.

The fields, to write the same geometry to the bit; the grid in the file's own unit, to
write what was converted as it was; and what is odd about it, for whoever reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import FormatError
from autoseg.spec.foreign.units import factor_between, unit_of
from autoseg.spec.image import Geometry

SPACING_TOLERANCE = 1e-3  # relative; headers in float32 and in text differ by less
DIRECTION_TOLERANCE = 0.1  # of a cosine: less is rounding, more another orientation
REMARKS = "remarks"  # warnings: what the header says cannot be, or contradicts itself
NOTES = "notes"  # what was understood, where a file says little
FILED = "in the file"  # the grid in the file's own unit
OWN = "own unit"  # one of ours, before lengths were converted to a data set's
SHIFTED = "shifted channels"  # files of one case that lie elsewhere than the first
OVERRULED = "overruled unit"  # that the file says, and dataset.json says otherwise


def with_fields(geometry: Geometry, kind: str, fields: Any) -> Geometry:
    """Return a geometry that remembers the fields of the header it came from.

    Parameters
    ----------
    geometry : Geometry
        What was understood from the header.
    kind : str
        Kind of the header.
    fields : JSON value or None
        The header's fields of geometry; None remembers nothing.

    Returns
    -------
    Geometry
        The same, and in ``header`` also the grid that the fields belong to: a geometry
        that somebody changed must not be written with the old fields.
    """
    if fields is None:
        return geometry
    header = {**geometry.header, kind: fields, "grid": _grid(geometry)}
    return replace(geometry, header=header)


def fields_of(geometry: Geometry, kind: str) -> Any:
    """Return the fields that `with_fields` put in, if they still hold; else None."""
    if geometry.header.get("grid") != _grid(geometry):
        return None
    return geometry.header.get(kind)


def with_remarks(
    geometry: Geometry, remarks: Sequence[str] = (), notes: Sequence[str] = ()
) -> Geometry:
    """Return a geometry that remembers what is odd about its header.

    Parameters
    ----------
    geometry : Geometry
        What was understood.
    remarks : sequence of str
        What is wrong, or contradicts itself: clauses that begin in lower case.
    notes : sequence of str
        What was taken for what the file does not say.

    Returns
    -------
    Geometry
        The same, with these after those that it had.
    """
    header = dict(geometry.header)
    for key, texts in ((REMARKS, remarks), (NOTES, notes)):
        if texts:
            header[key] = [*header.get(key, ()), *texts]
    return replace(geometry, header=header) if header != geometry.header else geometry


def remarks_of(geometry: Geometry) -> tuple[str, ...]:
    """Return what is wrong with the header of a geometry."""
    return tuple(geometry.header.get(REMARKS, ()))


def notes_of(geometry: Geometry) -> tuple[str, ...]:
    """Return what was taken for what the header of a geometry does not say."""
    return tuple(geometry.header.get(NOTES, ()))


def is_turned_picture(geometry: Geometry) -> bool:
    """Return whether a picture is read turned, by its EXIF orientation."""
    return any("EXIF" in note for note in notes_of(geometry))


def scaled(geometry: Geometry, factor: float, unit: str) -> Geometry:
    """Return a geometry with all lengths times a factor, in a unit.

    Parameters
    ----------
    geometry : Geometry
        With lengths in the file's own unit.
    factor : float
        How many of ``unit`` one of the file's is.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.

    Returns
    -------
    Geometry
        The fields that it remembers are those of the new lengths, and `as_filed` gives
        the old ones back.
    """
    if factor == 1.0:
        return replace(geometry, unit=unit)
    header = dict(geometry.header)
    header.setdefault(FILED, {**_lengths(geometry), "unit": geometry.unit})
    changed = replace(
        geometry,
        spacing=tuple(edge * factor for edge in geometry.spacing),
        origin=tuple(place * factor for place in geometry.origin),
        unit=unit,
        header=header,
    )
    if geometry.header.get("grid") == _grid(geometry):
        header["grid"] = _grid(changed)
    header[FILED] = {**header[FILED], "now": _grid(changed)}
    return changed


def in_unit(geometry: Geometry, unit: str) -> Geometry | None:
    """Return a geometry in another unit; None if a size is not known.

    Parameters
    ----------
    geometry : Geometry
        Of an image.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.

    Returns
    -------
    Geometry or None
        Of the same image. In pixels the edges keep their ratio, and that of the last
        axis is 1. What is written with it has the unit that it had.
    """
    if unit == geometry.unit:
        return geometry
    if unit == "px":
        return scaled(geometry, 1 / geometry.spacing[-1], unit)
    factor = factor_between(geometry.unit, unit)
    return None if factor is None else scaled(geometry, factor, unit)


def measured_in(geometry: Geometry, unit: str | None) -> Geometry:
    """Return a geometry in the unit of its data set.

    Parameters
    ----------
    geometry : Geometry
        Of a file.
    unit : str or None
        ``lengths`` of the data set; None, and pixels, leave it as it is.

    Returns
    -------
    Geometry
        In that unit if it has a size. `own_unit` still knows what it was in.
    """
    if unit in (None, "px", geometry.unit):
        return geometry
    changed = in_unit(geometry, str(unit))
    if changed is None:
        return geometry
    return replace(changed, header={**changed.header, OWN: geometry.unit})


def differing(a: Geometry, b: Geometry) -> list[tuple[str, Any, Any]]:
    """Return in what the grids of two channels differ too much to be one image.

    Parameters
    ----------
    a, b : Geometry
        Of two files of one case.

    Returns
    -------
    list of (str, value, value)
        ``"shape"``, ``"spacing"`` or ``"direction"``, with that of ``a`` and that of
        ``b`` in the unit of ``a``; empty: reading takes them together.
    """
    if a.shape != b.shape:
        return [("shape", a.shape, b.shape)]
    b = measured_in(b, a.unit)
    found: list[tuple[str, Any, Any]] = []
    if not np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE, atol=0):
        found.append(("spacing", a.spacing, b.spacing))
    if not np.allclose(a.direction, b.direction, rtol=0, atol=DIRECTION_TOLERANCE):
        found.append(("direction", a.direction, b.direction))
    return found


def shift_between(a: Geometry, b: Geometry) -> float:
    """Return how far apart two channels begin, in the shortest edges of a voxel.

    0 where one of the files does not say where it is.
    """
    if "px" in (a.unit, b.unit) or not (a.oriented and b.oriented):
        return 0.0
    b = measured_in(b, a.unit)
    apart = float(np.linalg.norm(np.subtract(a.origin, b.origin)))
    return apart / min(a.spacing)


def own_unit(geometry: Geometry) -> str:
    """Return the unit that a geometry had before `measured_in` converted it."""
    return str(geometry.header.get(OWN, geometry.unit))


def as_filed(geometry: Geometry) -> Geometry:
    """Return a geometry in the unit of the file it was read from, undoing `scaled`.

    Of a geometry that somebody changed since, or that was never converted, it is the
    geometry itself.
    """
    filed = geometry.header.get(FILED)
    if filed is None or filed.get("now") != _grid(geometry):
        return geometry
    header = {key: value for key, value in geometry.header.items() if key != FILED}
    before = replace(
        geometry,
        spacing=tuple(filed["spacing"]),
        origin=tuple(filed["origin"]),
        unit=filed["unit"],
        header=header,
    )
    if header.get("grid") == _grid(geometry):
        header["grid"] = _grid(before)
    return before


def in_wanted(geometry: Geometry, word: Any, wanted: str | None) -> Geometry:
    """Return a geometry whose numbers are in what a file calls its unit in one of ours.

    Parameters
    ----------
    geometry : Geometry
        With the file's numbers.
    word : str or None
        What the file says that they are in; nothing and ``pixel`` say no length.
    wanted : str or None
        ``unit`` of dataset.json: what to convert to, and what numbers without a length
        are in. None: millimeters, and for what says no length as it is.

    Returns
    -------
    Geometry
        In ``wanted`` if that is given. Millimeters are taken for what is wanted, since
        SimpleITK writes them whatever is meant; the header remembers that.
    """
    unit = unit_of(word)
    taken = wanted or ("px" if unit.known and unit.said else geometry.unit)
    if not unit.known:
        geometry = with_remarks(geometry, [unknown_unit(word, taken)])
    if wanted == "px" or not unit.has_size:
        return replace(geometry, unit=taken)
    if wanted not in (None, "mm") and unit.name == "mm" and unit.factor == 1.0:
        header = {**geometry.header, OVERRULED: str(word)}
        return replace(geometry, unit=wanted, header=header)
    name = wanted or "mm"
    factor = unit.factor * (factor_between(unit.name, name) or 1.0)
    return scaled(replace(geometry, unit=str(word)), factor, name)


def unknown_unit(word: Any, taken: str) -> str:
    """Return the remark about a word for a unit that nobody knows."""
    return (
        f"its unit of length, {str(word)!r}, is not known; its numbers are taken as "
        f"{taken}"
    )


def flat_geometry(
    path: Path,
    shape: tuple[int, ...],
    spacing: Sequence[float] | None,
    unit: str | None,
    *,
    placed: bool = False,
) -> Geometry:
    """Return the geometry of a file that has no place in the world.

    Parameters
    ----------
    path : Path
        The file, for the message.
    shape : tuple of int, length D
        Voxels along each axis.
    spacing : sequence of float or None
        What dataset.json or a side-car says, slowest axis first; None: 1 px.
    unit : str or None
        Its unit; None: millimeters.
    placed : bool
        The format has axes of a world, along which those of the file lie.

    Returns
    -------
    Geometry
        At the origin, along the axes; of a volume that is not placed nothing says how
        these lie.

    Raises
    ------
    FormatError
        If the spacing has another number of axes.
    """
    if spacing is None:
        unit, spacing = "px", (1.0,) * len(shape)
    if len(spacing) != len(shape):
        raise FormatError(
            f"{path} has {len(shape)} axes in space, {shape}, but the spacing that is "
            f"given for it has {len(spacing)}: {tuple(spacing)}. Give another image, "
            "or correct the spacing (in dataset.json, or a side-car)."
        )
    return Geometry(
        shape=shape,
        spacing=tuple(map(float, spacing)),
        unit=unit or "mm",
        oriented=placed or len(shape) != 3,
    )


def _lengths(geometry: Geometry) -> Mapping[str, Any]:
    return {"spacing": list(geometry.spacing), "origin": list(geometry.origin)}


def _grid(geometry: Geometry) -> list[list[float]]:
    return [
        list(geometry.shape),
        list(geometry.spacing),
        list(geometry.origin),
        list(geometry.direction),
    ]
