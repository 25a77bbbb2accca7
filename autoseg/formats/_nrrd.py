"""NRRD files with the geometry of another, to the bit.

ITK writes spacing times direction and, reading, divides again, which rounds. Here the
lines of the header that speak of geometry are taken over as they are.

The format: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._arrays import write_voxels

Array = NDArray[Any]

ENDINGS = (".nrrd", ".nhdr")  # the second one's voxels are in another file
SPACE = ("space", "space dimension", "space units")  # they come before the sizes
AXES = (
    "space directions",
    "space origin",
    "spacings",
    "axis mins",
    "axis maxs",
    "centerings",
    "units",
)
GEOMETRY = (*SPACE, *AXES)
SYNONYMS = {"axismins": "axis mins", "axismaxs": "axis maxs", "centers": "centerings"}
NUMBERS = ("spacings", "axis mins", "axis maxs")
ANATOMICAL = (
    "right-anterior-superior",
    "left-anterior-superior",
    "left-posterior-superior",
    "ras",
    "las",
    "lps",
)
LONGEST_HEADER = 1 << 20
COMPRESSION = 5


def read_nrrd_header(path: Path) -> dict[str, str]:
    """Return the fields of a header by name, in lower case; key/value pairs left out.

    Parameters
    ----------
    path : Path
        A NRRD file.

    Returns
    -------
    dict of str to str
        As they are written.
    """
    with open(path, "rb") as file:
        text = b""
        while b"\n\n" not in text and b"\r\n\r\n" not in text:
            more = file.read(4096)
            text += more
            if not more or len(text) > LONGEST_HEADER:
                break
    head = text.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    lines = head.decode("utf-8", errors="replace").splitlines()
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and not value.startswith("=") and not line.startswith("#"):
            key = name.strip().lower()
            fields[SYNONYMS.get(key, key)] = value.strip()
    return fields


def geometry_fields(header: Mapping[str, str], dim: int) -> dict[str, str] | None:
    """Return the lines of a header that speak of geometry.

    Parameters
    ----------
    header : mapping of str to str
        `read_nrrd_header` of a file.
    dim : int
        D. The entry of an axis for channels is left out.

    Returns
    -------
    dict of str to str, or None
        By field name; None if the header has another form than is known here.
    """
    kept = {name: header[name] for name in GEOMETRY if name in header}
    axes = int(header.get("dimension", dim))
    channel = channel_axis(header, dim) if axes == dim + 1 else None
    if axes != dim and channel is None:
        return None
    if "space directions" in kept:
        words = [w for w in _vectors(kept["space directions"]) if w != "none"]
        if len(words) != dim:
            return None
        kept["space directions"] = " ".join(words)
    for name in (*NUMBERS, "centerings", "units"):
        if name in kept:
            words = _words(kept[name])
            if len(words) != axes:
                return None
            if channel is not None:
                del words[channel]
            kept[name] = " ".join(words)
    return kept


def says_orientation(header: Mapping[str, str]) -> bool:
    """Return whether a header says how its axes lie in a patient."""
    space = header.get("space", "").lower().removesuffix("-time")
    return space in ANATOMICAL or space in ("rast", "last", "lpst")


def is_text(header: Mapping[str, str]) -> bool:
    """Return whether voxels are written as numbers that people read."""
    return header.get("encoding", "").lower() in ("txt", "text", "ascii")


def is_bzip2(header: Mapping[str, str]) -> bool:
    """Return whether voxels are packed by bzip2."""
    return header.get("encoding", "").lower() in ("bz2", "bzip2")


def unit_word(header: Mapping[str, str], dim: int, path: Path) -> str | None:
    """Return the word for the unit of length of a file; None if there is none.

    Raises
    ------
    FormatError
        If axes have different units.
    """
    if "space units" in header:
        words = _words(header["space units"])[:dim]
    else:
        fields = geometry_fields(header, dim) or {}
        words = _words(fields.get("units", ""))[:dim]
    words = [word.strip('"') for word in words]
    if len(set(words)) > 1:
        raise FormatError(
            f"{path} has a unit of its own along each axis: {', '.join(words)}. "
            "Write it with one unit."
        )
    return words[0] if words else None


def edges_of_limits(
    header: Mapping[str, str], dim: int
) -> tuple[list[float], list[float]] | None:
    """Return spacing and first voxel's center of a file that gives its axes' limits.

    Parameters
    ----------
    header : mapping of str to str
        With ``axis mins`` and ``axis maxs`` and neither spacings nor directions.
    dim : int
        D.

    Returns
    -------
    tuple of list of float, or None
        In the file's order (x, y, z); an axis that runs backwards has a negative edge.
        None for all other files, for which ITK is right.
    """
    fields = geometry_fields(header, dim) or {}
    if "spacings" in fields or "space directions" in fields:
        return None
    if "axis mins" not in fields or "axis maxs" not in fields:
        return None
    sizes = [int(word) for word in header["sizes"].split()]
    channel = channel_axis(header, dim) if len(sizes) == dim + 1 else None
    if channel is not None:
        del sizes[channel]
    centers = _words(fields.get("centerings", "")) or ["cell"] * dim
    spacing, origin = [], []
    limits = zip(
        fields["axis mins"].split(),
        fields["axis maxs"].split(),
        sizes,
        centers,
        strict=True,
    )
    for low, high, size, center in limits:
        node = center.lower() == "node" and size > 1
        edge = (float(high) - float(low)) / (size - 1 if node else size)
        spacing.append(edge)
        origin.append(float(low) + (0 if node else edge / 2))
    return (spacing, origin) if np.isfinite([*spacing, *origin]).all() else None


def unsaid_edges(header: Mapping[str, str], dim: int) -> bool:
    """Return whether a header does not give a spacing along all axes of space."""
    fields = geometry_fields(header, dim)
    if fields is None or "space directions" in fields:
        return False
    if "spacings" not in fields:
        return "axis mins" not in fields or "axis maxs" not in fields
    return any(word.lower() == "nan" for word in fields["spacings"].split())


def write_nrrd(path: Path, array: Array, fields: Mapping[str, str]) -> None:
    """Write a NRRD file with the geometry of another.

    Parameters
    ----------
    path : Path
        Where to write, not atomically.
    array : ndarray, shape S
        The voxels.
    fields : mapping of str to str
        `geometry_fields` of the other file.
    """
    kind = "float" if array.dtype == np.float32 else array.dtype.name
    header = {
        "type": kind,
        "dimension": str(array.ndim),
        **{name: fields[name] for name in SPACE if name in fields},
        "sizes": " ".join(map(str, array.shape[::-1])),
        **{name: fields[name] for name in AXES if name in fields},
        "kinds": " ".join(["domain"] * array.ndim),
        "endian": "little",
        "encoding": "gzip",
    }
    text = "".join(f"{name}: {value}\n" for name, value in header.items())
    with open(path, "wb") as file:
        file.write(f"NRRD0005\n{text}\n".encode())
        with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed:
            write_voxels(packed, array)


def write_nrrd_unit(path: Path, word: str, dim: int) -> None:
    """Say the unit of length in a file that ITK wrote, which has no place for it.

    Parameters
    ----------
    path : Path
        A NRRD file of ITK's, not yet where it belongs.
    word : str
        Such as ``"um"``.
    dim : int
        D.
    """
    head, blank, voxels = path.read_bytes().partition(b"\n\n")
    said = " ".join([f'"{word}"'] * dim)
    path.write_bytes(head + f"\nspace units: {said}".encode() + blank + voxels)


def channel_axis(header: Mapping[str, str], dim: int) -> int | None:
    """Return which of D + 1 axes is not one of space; None if nothing says so."""
    for name, empty in (("space directions", "none"), ("spacings", "nan")):
        words = [word.lower() for word in _vectors(header.get(name, ""))]
        if empty in words and len(words) == dim + 1:
            return words.index(empty)
    kinds = [word.lower() for word in header.get("kinds", "").split()]
    others = [i for i, kind in enumerate(kinds) if kind not in ("domain", "space")]
    return others[0] if len(kinds) == dim + 1 and len(others) == 1 else None


def _words(value: str) -> list[str]:
    """Return the words of a line, of which some are in quotation marks."""
    return re.findall(r'"[^"]*"|\S+', value)


def _vectors(value: str) -> list[str]:
    """Return the vectors of a line, and the words between them."""
    return re.findall(r"\([^)]*\)|\S+", value)
