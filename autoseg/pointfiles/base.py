"""The interface of a file of points, and how to find and read one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.formats.names import image_case as image_case
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._entries import points_of
from autoseg.pointfiles._kind import Entry as Entry
from autoseg.pointfiles._kind import Item as Item
from autoseg.pointfiles._kind import PointFile as PointFile
from autoseg.pointfiles._text import NOTHING
from autoseg.pointfiles.convention import Convention
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points

GeometryOf = Callable[[str], Geometry | None]


def read_points(
    path: Path,
    names: Sequence[str] | None = None,
    geometry_of: GeometryOf = lambda case: None,
    *,
    coordinates: Mapping[str, Any] | None = None,
    kind: str | None = None,
    case: str | None = None,
) -> dict[str, Points]:
    """Read a file of points, of one case or of many.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str, optional
        The landmarks, in order: for files that number theirs, and to find out that a
        file is of other landmarks. By default as in the file.
    geometry_of : function, optional
        From a case's id to the geometry of its image, or None; needed for physical
        coordinates.
    coordinates : mapping, optional
        ``coordinates`` of dataset.json: ``space``, ``frame``, ``index_order``,
        ``origin``. What the file itself says wins.
    kind : str, optional
        A file in ``autoseg/pointfiles``; by default by ending and content.
    case : str, optional
        Only this one, of a file of many.

    Returns
    -------
    dict of str to Points
        By case id. Only landmarks that the file has.

    Raises
    ------
    FormatError
        If the file cannot be read, with its path.
    """
    path = Path(path)
    count = None if names is None else len(names)
    reader, entries = _entries(path, kind, count)
    usual = reader.convention.changed(coordinates or {})
    found: dict[str, Points] = {}
    for entry in entries:
        of = case_id(path) if entry.case is None else entry.case
        if case not in (None, of):
            continue
        if of in found:
            raise FormatError(f"{path}: case {of!r} comes twice; leave one.")
        try:
            found[of] = points_of(entry, names, geometry_of(of), usual)
        except FormatError as error:
            where = "" if entry.case is None else f"case {of!r}: "
            raise FormatError(f"{path}: {where}{error}") from None
    return found


def is_map(path: Path) -> bool:
    """Return whether a file of points is a label map, which has a grid of its own."""
    named = match_ending(path.name.lower(), known_endings()) is not None
    return named and find_point_file(path).is_map


def points_in_map(
    path: Path, labels: NDArray[Any], names: Sequence[str] | None
) -> Points:
    """Return the points in a label map.

    Parameters
    ----------
    path : Path
        Its file, of which `is_map` holds.
    labels : ndarray of integers, shape S
        What was read of it.
    names : sequence of str or None
        The landmarks, in order.

    Returns
    -------
    Points
        In voxels of the map.

    Raises
    ------
    FormatError
        If the map is none of landmarks, with its path.
    """
    try:
        entry = find_point_file(path).of_map(labels)
        return points_of(entry, names, None, Convention())
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None


def cases_in(path: Path, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the cases that a file of points names; none if it is of one, unnamed.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str, optional
        The landmarks.

    Returns
    -------
    tuple of str
        Ids, in the file's order.

    Raises
    ------
    FormatError
        If the file cannot be read, with its path.
    """
    _, entries = _entries(Path(path), None, None if names is None else len(names))
    return tuple(entry.case for entry in entries if entry.case is not None)


def names_in(path: Path) -> tuple[str, ...]:
    """Return the landmarks that a file of points has, of all its cases.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of str
        In the file's order; numbers from 1 on where it names nothing.

    Raises
    ------
    FormatError
        If the file cannot be read, with its path.
    """
    _, entries = _entries(Path(path), None, None)
    return tuple(dict.fromkeys(name for entry in entries for name in entry.points))


def _entries(
    path: Path, kind: str | None, count: int | None
) -> tuple[PointFile, list[Entry]]:
    """Return what a file says; one that holds many cases is read once for all."""
    try:
        stamp = path.stat()
    except OSError:
        raise FormatError(f"{path} does not exist.") from None
    return _parsed(path, kind, count, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=4)
def _parsed(
    path: Path, kind: str | None, count: int | None, *_: int
) -> tuple[PointFile, list[Entry]]:
    reader = find_point_file(path, kind)
    try:
        return reader, reader.parse(path, count)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not UTF-8 text ({error}). Save it as UTF-8."
        ) from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}).") from None


def write_points(path: Path, items: Sequence[Item], kind: str | None = None) -> None:
    """Write points; the file is complete or not there.

    Parameters
    ----------
    path : Path
        The file.
    items : sequence of Item
        One case, or several for kinds that hold many.
    kind : str, optional
        A file in ``autoseg/pointfiles``; by default by the ending.

    Raises
    ------
    FormatError
        If the kind writes nothing, or holds one case only.
    """
    path = Path(path)
    writer = find_point_file(path, kind, to_write=True)
    if len(items) > 1 and not writer.holds_many:
        raise FormatError(
            f"{path} can hold one case, not {len(items)}; write a file for each, or "
            "one .csv or .json for all."
        )
    try:
        text = writer.text(items)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    with atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def find_point_file(
    path: Path, kind: str | None = None, *, to_write: bool = False
) -> PointFile:
    """Return what reads a file, or with ``to_write`` writes it.

    Parameters
    ----------
    path : Path
        Its ending decides, and where several kinds have that ending, its content.
    kind : str, optional
        Its name, if it is known.
    to_write : bool
        Only kinds that write.

    Returns
    -------
    PointFile
        The plug-in.

    Raises
    ------
    FormatError
        If there is none.
    """
    if kind is not None:
        return POINTFILES[kind]()
    if not to_write and not path.is_file():
        raise FormatError(f"{path} does not exist.")
    endings = {
        plugin: (plugin.written_ending or "",) if to_write else plugin.endings
        for plugin in (POINTFILES[name]() for name in POINTFILES.names())
        if plugin.written_ending or not to_write
    }
    fitting = {
        plugin: len(ending)
        for plugin, of in endings.items()
        if (ending := match_ending(path.name.lower(), of))
    }
    for plugin in sorted(fitting, key=lambda plugin: -fitting[plugin]):
        if to_write or plugin.claims(path):
            return plugin
    known = sorted({ending for of in endings.values() for ending in of})
    what = "written" if to_write else "read"
    raise FormatError(
        f"{path}: points are {what} as {', '.join(known)}; "
        "docs/landmark_files.md says with which keys and columns."
    )


def point_endings() -> tuple[str, ...]:
    """Return the endings of all kinds, label maps too."""
    kinds = [POINTFILES[name]() for name in POINTFILES.names()]
    return tuple(sorted({ending for kind in kinds for ending in kind.endings}))


def written_endings() -> tuple[str, ...]:
    """Return the endings of the kinds that are written."""
    kinds = [POINTFILES[name]() for name in POINTFILES.names()]
    return tuple(sorted(k.written_ending for k in kinds if k.written_ending))


def case_id(path: Path) -> str:
    """Return the case that a file's name tells.

    Examples
    --------
    >>> case_id(Path("scan_1.mrk.json"))
    'scan_1'
    """
    ending = match_ending(path.name.lower(), point_endings())
    return path.name[: -len(ending)] if ending else path.stem


def status_of(text: str) -> int | None:
    """Return the number of a status that is written out; None for an empty text.

    Examples
    --------
    >>> status_of(" Absent ")
    0
    """
    words = {"present": PRESENT, "absent": ABSENT, "unknown": UNKNOWN, "": None}
    word = text.strip().lower()
    if word not in words:
        raise FormatError(f"status {text!r}; there are present, absent and unknown.")
    return words[word]


def place_of(values: Sequence[Any]) -> list[float] | None:
    """Return coordinates; None where they are missing: `NOTHING`, or all -1."""
    texts = [str(value).strip().lower() for value in values]
    if all(text in NOTHING for text in texts):
        return None
    try:
        place = [float(text) for text in texts]
    except ValueError:
        shown = ", ".join(text or "nothing" for text in texts)
        raise FormatError(f"{shown} are no coordinates.") from None
    return None if all(value == -1 for value in place) else place


def in_order(case: str | None, rows: Sequence[Sequence[Any]]) -> Entry:
    """Return an entry of coordinates without names, in the order of the landmarks."""
    points = {str(i): (place_of(row), None) for i, row in enumerate(rows, start=1)}
    return Entry(case=case, points=points, in_order=True)
