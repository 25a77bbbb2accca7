"""Headers whose voxels are in other files: MetaImage and NRRD."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from autoseg.spec.foreign.place import all_files_at

HEAD = 1 << 16  # bytes in which a header names the file of its voxels
NAMED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(\S.*?)\s*$", re.I | re.M)
HEADERS = (".mhd", ".mha", ".nrrd", ".nhdr")
META = (".mhd", ".mha")


def voxels_behind(path: Path) -> list[Path]:
    """Return the files that a header says its voxels are in.

    Parameters
    ----------
    path : Path
        Any file; only those whose kind may point to another are looked into.

    Returns
    -------
    list of Path
        Beside the header, whether they are there or not.
    """
    if path.suffix.lower() not in HEADERS:
        return []
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return []
    if path.suffix.lower() not in META:  # in NRRD a blank line ends the header
        head = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    found = NAMED.search(head)
    name = found[1].decode("utf-8", "surrogateescape") if found else "LOCAL"
    if name.upper() == "LOCAL":
        return []
    if name.split()[0].upper() == "LIST" or "%" in name:  # one file for each slice
        beside = (p for p in path.parent.iterdir() if p.is_file() and p != path)
        return sorted(p for p in beside if p.name[0] != ".")
    return [path.parent / name]


def whole_files_at(paths: Iterable[Path]) -> list[Path]:
    """Return all files that images are in, then those of voxels behind headers."""
    found = all_files_at(paths)
    behind = [other for path in found for other in voxels_behind(path)]
    return list(dict.fromkeys([*found, *behind]))
