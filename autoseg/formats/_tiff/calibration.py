"""How large the pixels of a TIFF file are, by ImageJ, OME or a side-car."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError
from autoseg.formats.header import unknown_unit
from autoseg.spec.foreign.units import Unit, factor_between, in_pixels, unit_of


@dataclass(frozen=True)
class Calibration:
    """What a file says about the size of its pixels.

    Parameters
    ----------
    spacing : tuple of float, length D
        Slowest axis first.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``, of which only the ratio of the axes is known.
    remarks, notes : tuple of str
        See `autoseg.formats.header.with_remarks`.
    """

    spacing: tuple[float, ...]
    unit: str
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def calibrated(
    edges: Sequence[float | None], words: Sequence[Any], wanted: str | None
) -> Calibration | None:
    """Make sizes of what a file says along each axis, some of which may be missing.

    Parameters
    ----------
    edges : sequence of float or None, length D
        As the file gives them, slowest axis first.
    words : sequence, length D
        Their units.
    wanted : str or None
        The unit to convert to, and of numbers that have none.

    Returns
    -------
    Calibration or None
        None if the file says nothing. A number without a unit is in that of the other
        axes, if it is not 1, which files have for nothing. Along an axis without a size
        a pixel is taken to be as long as along the last that has one.
    """
    letters = "zyx"[-len(edges) :]
    words, notes = _completed(edges, words, letters)
    units = [unit_of(word) for word in words]
    unknown = tuple(
        {str(w): w for w, u in zip(words, units, strict=True) if not u.known}
    )
    if not any(e is not None and u.has_size for e, u in zip(edges, units, strict=True)):
        if all(edge in (None, 1.0) for edge in edges) and not any(
            u.said for u in units
        ):
            return None
        return _of_numbers_alone(edges, wanted or "px", unknown, letters)
    lengths, unit = _in_one_unit(edges, units, wanted)
    last = [length for length in lengths if length is not None][-1]
    found = tuple(last if length is None else length for length in lengths)
    remarks = tuple(unknown_unit(word, "none, along that axis") for word in unknown)
    return Calibration(found, unit, remarks, (*notes, *_missing(lengths, letters)))


def _of_numbers_alone(
    edges: Sequence[float | None], unit: str, unknown: Sequence[str], letters: str
) -> Calibration | None:
    """Return sizes of which no unit is known, taken to be in ``unit``."""
    known = [edge for edge in edges if edge is not None]
    if not known:
        return None
    filled = [known[-1] if edge is None else edge for edge in edges]
    remarks = tuple(unknown_unit(word, unit) for word in unknown)
    spacing = tuple(filled) if unit != "px" else in_pixels(filled)
    return Calibration(spacing, unit, remarks, _missing(edges, letters))


def _in_one_unit(
    edges: Sequence[float | None], units: Sequence[Unit], wanted: str | None
) -> tuple[list[float | None], str]:
    """Return the lengths that are known, in the unit wanted, else in the last one's."""
    pairs = list(zip(edges, units, strict=True))
    unit = (
        wanted
        or [of.name for edge, of in pairs if edge is not None and of.has_size][-1]
    )

    def length(edge: float | None, of: Unit) -> float | None:
        if edge is None or not of.has_size:
            return None
        factor = 1.0 if unit == "px" else factor_between(of.name, unit)
        return edge * of.factor * (factor or 1.0)

    return [length(edge, of) for edge, of in pairs], unit


def _completed(
    edges: Sequence[float | None], words: Sequence[Any], letters: str
) -> tuple[list[Any], tuple[str, ...]]:
    """Return units in which numbers without one have that of the other axes."""
    others = [word for word in words if unit_of(word).has_size]
    if not others:
        return list(words), ()
    bare = [
        edge not in (None, 1.0) and not unit_of(word).said
        for edge, word in zip(edges, words, strict=True)
    ]
    if not any(bare):
        return list(words), ()
    named = " and ".join(a for a, is_bare in zip(letters, bare, strict=True) if is_bare)
    note = f"it gives no unit along {named}; that of the others, {others[-1]}, is taken"
    filled = [others[-1] if b else word for b, word in zip(bare, words, strict=True)]
    return filled, (note,)


def _missing(edges: Sequence[float | None], letters: str) -> tuple[str, ...]:
    without = [letters[i] for i, edge in enumerate(edges) if edge is None]
    if not without or len(without) == len(edges):
        return ()
    return (
        f"it gives no size along {' and '.join(without)}, and one along others; a "
        "pixel is taken to be as long there",
    )


def imagej_fields(
    metadata: Mapping[str, Any] | None, tags: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return ImageJ's calibration as JSON, or None if there is none.

    Parameters
    ----------
    metadata : mapping or None
        ImageJ's own.
    tags : mapping of str to value
        ``XResolution`` and ``YResolution``: pixels per unit, as fractions.

    Returns
    -------
    dict or None
        ``resolution`` for x and y, and what the file has of ``spacing`` along z,
        ``unit``, ``yunit`` and ``zunit``.
    """
    if not metadata or "XResolution" not in tags or "YResolution" not in tags:
        return None
    resolution = [list(map(int, tags[f"{axis}Resolution"])) for axis in "XY"]
    if not all(all(pair) for pair in resolution):
        return None
    fields: dict[str, Any] = {"resolution": resolution}
    if "spacing" in metadata:
        fields["spacing"] = float(metadata["spacing"])
    for name in ("unit", "yunit", "zunit"):
        if name in metadata:
            fields[name] = str(metadata[name])
    return fields


def imagej_calibration(
    fields: Mapping[str, Any], dim: int, wanted: str | None
) -> Calibration | None:
    """Return what `imagej_fields` say; one unit between slices if they say no more."""
    (nx, dx), (ny, dy) = fields["resolution"]
    words = [fields.get("unit")] * 3
    words[1] = fields.get("yunit", words[1])
    words[0] = fields.get("zunit", words[0])
    depth = fields.get("spacing")
    notes: tuple[str, ...] = ()
    if depth is None and dim == 3 and unit_of(words[0]).has_size:
        depth = 1.0  # ImageJ's own default
        notes = (f"it gives no distance of its slices; 1 {words[0]} is taken",)
    edges = [None if depth is None else abs(depth), dy / ny, dx / nx]
    found = calibrated(edges[-dim:], words[-dim:], wanted)
    if found is None:
        return None
    return Calibration(found.spacing, found.unit, found.remarks, (*found.notes, *notes))


def ome_calibration(
    pixels: Mapping[str, Any], dim: int, wanted: str | None
) -> Calibration | None:
    """Return what an OME ``Pixels`` element says, in micrometers if it has no unit."""
    edges: list[float | None] = []
    words = []
    for axis in "ZYX"[-dim:]:
        size = pixels.get(f"PhysicalSize{axis}")
        edges.append(None if size is None else float(size))
        default = None if size is None else "um"
        words.append(pixels.get(f"PhysicalSize{axis}Unit", default))
    return calibrated(edges, words, wanted)


def entries_of(side_car: Path) -> dict[str, Any]:
    """Return what a side-car says already, such as classes; nothing without one."""
    try:
        found = json.loads(side_car.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_side_car(path: Path, stem: str) -> tuple[list[float], str | None] | None:
    """Return spacing and unit of a ``CASE.json`` next to an image.

    Parameters
    ----------
    path : Path
        The image, such as ``CASE_0000.tif``.
    stem : str
        Its name without ending.

    Returns
    -------
    tuple or None
        Spacing, slowest axis first, and ``"mm"``, ``"um"`` or ``"px"`` if it says a
        unit; None without such a file that speaks of spacing.

    Raises
    ------
    FormatError
        If the spacing is no list of positive numbers, or its unit is not known.
    """
    for name in (re.sub(r"_\d{4}$", "", stem), stem):
        side = path.with_name(f"{name}.json")
        if not side.is_file():
            continue
        try:
            found = json.loads(side.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise FormatError(f"{side} is no JSON ({error}).") from None
        if not isinstance(found, dict) or "spacing" not in found:
            continue
        spacing = found["spacing"]
        good = isinstance(spacing, list) and all(
            type(edge) in (int, float) and edge > 0 for edge in spacing
        )
        if not good:
            raise FormatError(
                f"{side}: spacing is {spacing!r}; give positive numbers, slowest axis "
                "first."
            )
        return _with_unit([float(edge) for edge in spacing], found.get("unit"), side)
    return None


def _with_unit(
    spacing: list[float], word: Any, side: Path
) -> tuple[list[float], str | None]:
    unit = unit_of(word)
    if not unit.known:
        raise FormatError(
            f"{side}: unit is {word!r}, which is not known; give mm, um, nm or another "
            "unit of length, or px."
        )
    if not unit.said:
        return spacing, None
    return [edge * unit.factor for edge in spacing], unit.name


def calibration_of(
    file: Any, dim: int, unit: str | None, number: int = 0
) -> tuple[Calibration | None, dict[str, Any] | None]:
    """Return the size of a file's pixels, and ImageJ's fields if it is ImageJ's."""
    tags = file.pages[0].tags
    names = ("XResolution", "YResolution")
    fields = imagej_fields(
        file.imagej_metadata, {n: tags[n].value for n in names if n in tags}
    )
    if fields is not None:
        found = imagej_calibration(fields, dim, unit)
        return found, fields if found is not None else None
    pixels = _ome_pixels(file, number)
    return (ome_calibration(pixels, dim, unit) if pixels else None), None


def _ome_pixels(file: Any, number: int) -> dict[str, Any] | None:
    import tifffile

    if not file.is_ome:
        return None
    image = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
    one = image[number] if isinstance(image, list) else image
    pixels = one.get("Pixels")
    return pixels if isinstance(pixels, dict) else None


def channels_of(xml: str, number: int) -> tuple[str, ...]:
    """Return what OME's metadata call the channels of an image; empty for one unnamed.

    Parameters
    ----------
    xml : str
        Of the file; it may list hundred thousand planes, and is not parsed.
    number : int
        Which of its images.
    """
    images = re.split(r"<(?:\w+:)?Image\b", xml)[1:]
    found = re.findall(r"<(?:\w+:)?Channel\b([^>]*)>", "".join(images[number:][:1]))
    names = (re.search(r"\bName=([\"'])(.*?)\1", said) for said in found)
    return tuple(unescape(name[2]) if name else "" for name in names)
