"""NRRD files with the geometry of another, to the bit.

ITK writes spacing times direction and, reading, divides again, which rounds. Here the
lines of the header that speak of geometry are taken over as they are.

The format: https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

GEOMETRY = ("space", "space dimension", "space directions", "space origin", "spacings")
LONGEST_HEADER = 1 << 20
COMPRESSION = 5


def read_nrrd_fields(path: Path, dim: int) -> dict[str, str] | None:
    """Return the lines of a header that speak of geometry.

    Parameters
    ----------
    path : Path
        A NRRD file.
    dim : int
        D. The line of an axis for channels is left out.

    Returns
    -------
    dict of str to str, or None
        By field name; None if the header has another form than is known here.
    """
    with open(path, "rb") as file:
        text, _, _ = file.read(LONGEST_HEADER).partition(b"\n\n")
    lines = text.decode("ascii", errors="replace").splitlines()
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and not value.startswith("=") and not line.startswith("#"):
            fields[name.strip().lower()] = value.strip()
    kept = {name: fields[name] for name in GEOMETRY if name in fields}
    if "spacings" in kept:
        kept["spacings"] = _without_channels(kept["spacings"], ("nan", "NaN"))
        if len(kept["spacings"].split()) != dim:
            return None
    if "space directions" in kept:
        kept["space directions"] = _without_channels(
            kept["space directions"], ("none",)
        )
        if kept["space directions"].count("(") != dim:
            return None
    return kept


def write_nrrd(path: Path, array: Array, fields: Mapping[str, str]) -> None:
    """Write a NRRD file with the geometry of another.

    Parameters
    ----------
    path : Path
        Where to write, not atomically.
    array : ndarray, shape S
        The voxels.
    fields : mapping of str to str
        `read_nrrd_fields` of the other file.
    """
    kind = "float" if array.dtype == np.float32 else array.dtype.name
    header = {
        "type": kind,
        "dimension": str(array.ndim),
        **{name: fields[name] for name in GEOMETRY[:2] if name in fields},
        "sizes": " ".join(map(str, array.shape[::-1])),
        **{name: fields[name] for name in GEOMETRY[2:] if name in fields},
        "kinds": " ".join(["domain"] * array.ndim),
        "endian": "little",
        "encoding": "gzip",
    }
    text = "".join(f"{name}: {value}\n" for name, value in header.items())
    voxels = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    with open(path, "wb") as file:
        file.write(f"NRRD0005\n{text}\n".encode("ascii"))
        with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed:
            packed.write(voxels.data.cast("B"))


def _without_channels(value: str, empty: tuple[str, ...]) -> str:
    return " ".join(word for word in value.split() if word not in empty)
