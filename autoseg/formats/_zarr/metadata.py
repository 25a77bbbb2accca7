"""What the JSON files of an OME-Zarr say: images, their resolutions, axes and sizes.

Versions 0.1 to 0.5 (https://ngff.openmicroscopy.org): attributes lie in ``.zattrs`` up
to 0.4, in ``zarr.json`` since then. Paths in them are followed inside of the folder
only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError

OLD_AXES = "tczyx"  # of versions that do not name them
SPACE = ("z", "y", "x")
KNOWN = ("t", "c", *SPACE)
MOST_BYTES = 64 << 20  # of a JSON file
STORAGE = ("dtype", "data_type", "filters", "compressor", "codecs")
GROUP, ARRAY = "group", "array"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of an image.

    Parameters
    ----------
    name : str
        t, c, z, y or x.
    unit : str or None
        As the file says it.
    """

    name: str
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Level:
    """One of the resolutions of an image.

    Parameters
    ----------
    folder : Path
        Of its array.
    scale, translation : tuple of float
        For each axis; 1 and 0 where the file says nothing.
    """

    folder: Path
    scale: tuple[float, ...]
    translation: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Multiscale:
    """An image in several resolutions.

    Parameters
    ----------
    folder : Path
        Of its group.
    axes : tuple of Axis
        In the order of the arrays.
    levels : tuple of Level
        The finest first.
    version : str
        Of OME-Zarr.
    notes : tuple of str
        What is left aside.
    """

    folder: Path
    axes: tuple[Axis, ...]
    levels: tuple[Level, ...]
    version: str
    notes: tuple[str, ...] = ()


def multiscale_of(folder: Path) -> Multiscale | None:
    """Return the image that a group is; None if it is none.

    Parameters
    ----------
    folder : Path
        Of a group.

    Raises
    ------
    FormatError
        If its metadata cannot be, or lead out of the folder.
    """
    attributes, version = attributes_of(folder)
    found = attributes.get("multiscales")
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        return None
    raw = found[0]
    version = str(raw.get("version") or version)
    axes = _axes(raw.get("axes"), folder)
    datasets = raw.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise _wrong(folder, "names no array (`datasets`)")
    whole = _transformed(raw.get("coordinateTransformations"), len(axes), folder)
    levels = []
    for entry in datasets:
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise _wrong(folder, f"has a dataset without a path: {entry!r}")
        own = _transformed(entry.get("coordinateTransformations"), len(axes), folder)
        levels.append(
            Level(
                folder=inside(folder, entry["path"]),
                scale=tuple(a * b for a, b in zip(own[0], whole[0], strict=True)),
                translation=tuple(
                    place * edge + more
                    for place, edge, more in zip(own[1], *whole, strict=True)
                ),
            )
        )
    # By resolution, as the specification wants them; some write them otherwise.
    levels.sort(key=lambda level: math.prod(map(abs, level.scale)))
    said = f"it describes {len(found)} images, of which the first is read"
    return Multiscale(
        folder=folder,
        axes=axes,
        levels=tuple(levels),
        version=version,
        notes=(said,) if len(found) > 1 else (),
    )


def positions_in(folder: Path) -> dict[str, Path]:
    """Return the images of a collection by name; none of a single image.

    Parameters
    ----------
    folder : Path
        Of a plate (well after well, field after field), of what bioformats2raw wrote
        from a file with several series, or of a single image.

    Returns
    -------
    dict of str to Path
        Groups; a name is such as ``A-1-0`` for the first field of the first well.
    """
    attributes, _ = attributes_of(folder)
    plate = attributes.get("plate")
    if isinstance(plate, dict):
        wells = [_path(well) for well in _list(plate.get("wells"))]
        return {
            f"{well}/{image}".replace("/", "-"): inside(inside(folder, well), image)
            for well in wells
            for image in _images_of_well(inside(folder, well))
        }
    well = attributes.get("well")
    if isinstance(well, dict):
        return {name: inside(folder, name) for name in _images_of_well(folder)}
    if "bioformats2raw.layout" not in attributes or "multiscales" in attributes:
        return {}
    ome = folder / "OME"
    series = attributes_of(ome)[0].get("series") if ome.is_dir() else None
    if isinstance(series, list):
        names = [str(name) for name in series]
    else:
        inner = (path.name for path in folder.iterdir() if path.name.isdigit())
        names = sorted(inner, key=int)
    return {name.replace("/", "-"): inside(folder, name) for name in names}


def labels_in(folder: Path) -> dict[str, Path]:
    """Return the label images of an image by name."""
    group = folder / "labels"
    if not group.is_dir():
        return {}
    names = attributes_of(group)[0].get("labels")
    return {str(name): inside(group, str(name)) for name in _list(names)}


def channels_in(folder: Path) -> tuple[str, ...]:
    """Return what an image calls its channels (`omero`), empty where it does not."""
    omero = attributes_of(folder)[0].get("omero")
    channels = _list(omero.get("channels")) if isinstance(omero, dict) else ()
    said = (one.get("label") if isinstance(one, dict) else "" for one in channels)
    return tuple(one if isinstance(one, str) else "" for one in said)


def attributes_of(folder: Path) -> tuple[Mapping[str, Any], str]:
    """Return the attributes of a group or an array, and the version by their place.

    Raises
    ------
    FormatError
        If there are no such files, or they are no JSON objects.
    """
    new = folder / "zarr.json"
    if new.is_file():
        attributes = _json(new).get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        ome = attributes.get("ome")
        if isinstance(ome, dict):
            return ome, str(ome.get("version") or "0.5")
        return attributes, "0.5"
    old = folder / ".zattrs"
    if old.is_file():
        return _json(old), "0.4"
    if (folder / ".zgroup").is_file() or (folder / ".zarray").is_file():
        return {}, "0.4"
    raise FormatError(
        f"{folder} is no Zarr: it has neither zarr.json nor .zgroup, .zattrs or "
        ".zarray. Copy it again, with hidden files."
    )


def kind_of(folder: Path) -> str:
    """Return whether a folder is a group or an array."""
    new = folder / "zarr.json"
    if new.is_file():
        return str(_json(new).get("node_type"))
    return ARRAY if (folder / ".zarray").is_file() else GROUP


def must_be_plain(folder: Path) -> None:
    """Raise FormatError if reading an array would make objects of what it holds."""
    for name in (".zarray", "zarr.json"):
        if not (folder / name).is_file():
            continue
        found = _json(folder / name)
        text = json.dumps([found.get(key) for key in STORAGE]).lower()
        if "pickle" in text or '"|o"' in text or '"object"' in text:
            raise FormatError(
                f"{folder} holds Python objects, not numbers, and is not opened. Save "
                "an array of numbers."
            )


def inside(folder: Path, path: str) -> Path:
    """Return a path that metadata name, below their folder.

    Raises
    ------
    FormatError
        If it leads out of the folder, also by a link.
    """
    place = folder / path
    root = folder.resolve()
    if not path or not place.resolve().is_relative_to(root):
        raise FormatError(
            f"{folder} names {path!r}, which is outside of it, and is not followed. "
            "Get or write it again."
        )
    return place


def _axes(raw: Any, folder: Path) -> tuple[Axis, ...]:
    if raw is None:
        raw = list(OLD_AXES)
    if not isinstance(raw, list):
        raise _wrong(folder, f"has the axes {raw!r}")
    found = []
    for entry in raw:
        entry = {"name": entry} if isinstance(entry, str) else entry
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name.lower() not in KNOWN:
            raise _wrong(folder, f"has an axis {name!r}; autoseg knows t, c, z, y, x")
        found.append(Axis(name=name.lower(), unit=entry.get("unit")))
    names = [axis.name for axis in found]
    if len(set(names)) < len(names) or not {"y", "x"} <= set(names):
        raise _wrong(folder, f"has the axes {', '.join(names)}")
    return tuple(found)


def _transformed(
    raw: Any, count: int, folder: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and translation of transformations that follow one another."""
    scale, translation = [1.0] * count, [0.0] * count
    for entry in _list(raw):
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind == "identity":
            continue
        numbers = _list(entry.get(kind) if kind in ("scale", "translation") else None)
        good = all(type(number) in (int, float) for number in numbers)
        if len(numbers) != count or not good:
            raise _wrong(folder, f"has a transformation that is not known: {entry!r}")
        for i, number in enumerate(numbers):
            if kind == "scale":
                scale[i] *= number
                translation[i] *= number
            else:
                translation[i] += number
    return tuple(scale), tuple(translation)


def _images_of_well(folder: Path) -> list[str]:
    well = attributes_of(folder)[0].get("well")
    images = well.get("images") if isinstance(well, dict) else None
    return [_path(image) for image in _list(images)]


def _path(entry: Any) -> str:
    return str(entry.get("path", "")) if isinstance(entry, dict) else ""


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FormatError(f"{path} is too large for metadata. Get it again.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{path} cannot be read ({error}). Copy it again.") from None
    if not isinstance(found, dict):
        raise FormatError(f"{path} is no JSON object. Get or write it again.")
    return found


def _wrong(folder: Path, what: str) -> FormatError:
    return FormatError(
        f"{folder} {what}. Its metadata are not those of an OME-Zarr of version 0.1 "
        "to 0.5; write it again."
    )
