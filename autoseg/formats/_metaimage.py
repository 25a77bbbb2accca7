"""What the text of an MHA or MHD header says beyond what ITK hands on.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

from __future__ import annotations

from pathlib import Path

LONGEST_HEADER = 1 << 16
MATRICES = ("TransformMatrix", "Rotation", "Orientation")  # names of one field
EDGES = ("ElementSpacing", "ElementSize")
LAST = "ElementDataFile"


def read_meta_fields(path: Path) -> dict[str, str]:
    """Return the fields of a header by name, up to the one that ends it."""
    with open(path, "rb") as file:
        data = file.read(LONGEST_HEADER)
    fields: dict[str, str] = {}
    for line in data.split(b"\n"):
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[name.strip()] = value.strip()
        if name.strip() == LAST:
            break
    return fields


def says_orientation(fields: dict[str, str]) -> bool:
    """Return whether a header says how the axes lie."""
    return any(name in fields for name in MATRICES)


def unsaid_edges(fields: dict[str, str]) -> bool:
    """Return whether a header does not say how large voxels are."""
    return not any(name in fields for name in EDGES)


def write_meta_unit(path: Path, word: str) -> None:
    """Say the unit of length in a file that ITK wrote, which has no place for it.

    Parameters
    ----------
    path : Path
        An MHA or MHD file, not yet where it belongs.
    word : str
        Such as ``"um"``.
    """
    before, last, after = path.read_bytes().partition(LAST.encode())
    path.write_bytes(before + f"DistanceUnits = {word}\n".encode() + last + after)
