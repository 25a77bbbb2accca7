"""Headers whose voxels are in other files: MetaImage, NRRD, NIfTI and Analyze."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from autoseg.spec.foreign.place import all_files_at

HEAD = 1 << 16  # bytes in which a header names the file of its voxels
NAMED = re.compile(rb"^(?:ElementDataFile\s*=|data ?file:)\s*(\S.*?)\s*$", re.I | re.M)
HEADERS = (".mhd", ".mha", ".nrrd", ".nhdr")
META = (".mhd", ".mha")
PAIRS = (".hdr", ".hdr.gz")  # of NIfTI and of Analyze 7.5
NUMBER = re.compile(r"%0?\d{0,2}d")


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
    if is_pair(path):
        return [image_behind(path)]
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
    if name.upper() == "LOCAL" or found is None:
        return []
    if name.split()[0].upper() == "LIST":  # one file for each slice, a line for each
        lines = head[found.end() :].decode("utf-8", "surrogateescape").splitlines()
        return [path.parent / line.strip() for line in lines if line.strip()]
    return [path.parent / one for one in _numbered(name)]


def is_pair(path: Path) -> bool:
    """Return whether a file's name says that it is a header with its voxels beside."""
    return path.name.lower().endswith(PAIRS)


def image_behind(path: Path) -> Path:
    """Return where the voxels of a NIfTI or Analyze header are: ``.img`` beside it.

    Either may be packed. Where none is there, the plain one.
    """
    name = path.name[: path.name.lower().rindex(".hdr")]
    endings = (".img", ".img.gz", ".IMG", ".IMG.gz", ".IMG.GZ")
    found = [path.with_name(name + ending) for ending in endings]
    return next((one for one in found if one.exists()), found[0])


def _numbered(name: str) -> list[str]:
    """Return the names that ``slice%03d.raw 1 40 1`` stands for; others are one."""
    pattern, *words = name.split()
    place = NUMBER.search(pattern)
    if place is None or len(words) < 2:
        return [name]
    try:
        first, last, step = (int(word) for word in [*words, "1"][:3])
    except ValueError:
        return [name]
    ends = range(first, last + (1 if step > 0 else -1), step or 1)
    before, after = pattern[: place.start()], pattern[place.end() :]
    return [f"{before}{place[0] % number}{after}" for number in ends]


def whole_files_at(paths: Iterable[Path]) -> list[Path]:
    """Return all files that images are in, then those of voxels behind headers."""
    found = all_files_at(paths)
    behind = [other for path in found for other in voxels_behind(path)]
    return list(dict.fromkeys([*found, *behind]))
