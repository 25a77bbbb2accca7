"""Where an image is: a file, a folder of files, or a part of one of these.

A part has a last name that is no file: ``study/series=T1`` is the series T1 of what is
in ``study``. So it is a path as others are, for other processes, too.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from urllib.parse import parse_qsl, quote, urlencode

PART = re.compile(r"[a-z]+=[^/]*")


def place_of(path: Path) -> Path:
    """Return the file or the folder that a path, or a part of it, is in.

    Examples
    --------
    >>> place_of(Path("study/series=T1")).name, place_of(Path("a.nii.gz")).name
    ('study', 'a.nii.gz')
    """
    return path.parent if PART.fullmatch(path.name) and not path.exists() else path


def part_of(path: Path) -> dict[str, str]:
    """Return what is asked for of a place; nothing for the whole.

    Examples
    --------
    >>> part_of(Path("study/series=T1%2FT2&tilt=straight"))
    {'series': 'T1/T2', 'tilt': 'straight'}
    """
    if place_of(path) == path:
        return {}
    return dict(parse_qsl(path.name, keep_blank_values=True))


def with_part(path: Path, **asked: str | None) -> Path:
    """Return the path of a part; what is None or empty is not asked for."""
    wanted = part_of(path) | {key: value for key, value in asked.items() if value}
    if not wanted:
        return path
    return place_of(path) / urlencode(wanted, quote_via=quote, safe=" *?.,;@[]()")


def is_there(path: Path) -> bool:
    """Return whether the file or the folder that an image is in is there."""
    return place_of(path).exists()


def lost(path: Path) -> str:
    """Return ``": it is a link to ..., which does not exist"``, or nothing: no link."""
    place = place_of(path)
    if place.exists() or not place.is_symlink():
        return ""
    return f": it is a link to {os.readlink(place)}, which does not exist"


def files_at(path: Path) -> list[Path]:
    """Return all files that an image is in, sorted; hidden ones are none.

    Parameters
    ----------
    path : Path
        A file, a folder, or a part of one. What is not there is returned as it is, so
        that somebody says that it is missing.
    """
    place = place_of(path)
    if not place.is_dir():
        return [place]
    return [path for path in files_below(place) if not _hidden(path, place)]


def files_below(folder: Path) -> list[Path]:
    """Return all files in a folder and in those below, sorted.

    Raises
    ------
    PermissionError
        If one of the folders may not be read: ``rglob`` passes it by without a word.
    """
    found = []
    for place, _, names in os.walk(folder, onerror=refuse):
        found += [Path(place) / name for name in names]
    return sorted(path for path in found if path.is_file())


def refuse(error: OSError) -> None:
    """Raise what ``os.walk`` meets, which else leaves out what it may not read."""
    raise error


def may_be_read(path: Path) -> bool:
    """Return whether a file may be read, or what lies in a folder."""
    return os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)


def fitting(folder: Path, pattern: str) -> list[Path]:
    """Return what fits a pattern below a folder, sorted.

    Raises
    ------
    PermissionError
        If a folder that may hold some may not be read: ``glob`` passes it by.
    """
    above = PurePath(pattern).parts[:-1]
    for depth in range(len(above) + 1):
        start = PurePath(*above[:depth]).as_posix()
        for place in folder.glob(start) if depth else [folder]:
            if place.is_dir() and not may_be_read(place):
                text = os.strerror(errno.EACCES)
                raise PermissionError(errno.EACCES, text, str(place))
    return sorted(folder.glob(pattern))


def all_files_at(paths: Iterable[Path]) -> list[Path]:
    """Return what `files_at` does for each path, each file once."""
    return list(dict.fromkeys(file for path in paths for file in files_at(path)))


def _hidden(path: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(place).parts)
