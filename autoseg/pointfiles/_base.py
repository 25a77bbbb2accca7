"""The interface of a file of points, and how to find and read one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats._atomic import atomically
from autoseg.formats._base import known_endings, match_ending
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._convention import Convention
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points

Rows = Mapping[str, tuple[Sequence[float] | None, int | None]]
GeometryOf = Callable[[str], Geometry | None]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a file says about one case.

    Parameters
    ----------
    case : str or None
        Its id; None: the file is of one case, which its name tells.
    points : mapping of str to (sequence of float or None, int or None)
        By name, or by number as text where the file names nothing (``"1"``, ``"2"``, in
        the order of the landmarks): coordinates as in the file, and status. Status None
        is present with coordinates, and left out without.
    stated : Convention or None
        What the file itself says about its coordinates; it wins over dataset.json.
    details : mapping of str to mapping
        By landmark: what a prediction says beside, such as ``{"score": 0.9}``.
    in_order : bool
        The file names nothing, so it must have as many points as there are landmarks.
    """

    case: str | None
    points: Rows
    stated: Convention | None = None
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_order: bool = False


@dataclass(frozen=True, kw_only=True)
class Item:
    """One case to write.

    Parameters
    ----------
    case : str
        Its id.
    points : Points
        In index space.
    geometry : Geometry or None
        Of the image.
    """

    case: str
    points: Points
    geometry: Geometry | None = None


class PointFile(ABC):
    """Reads, and if it can writes, one kind of file of points.

    Attributes
    ----------
    endings : tuple of str
        In lower case, with the dot; the longest that fits a file wins.
    convention : Convention
        What its numbers mean where neither the file nor dataset.json says.
    written_ending : str or None
        With which ending it is written; None: it is read only.
    holds_many : bool
        Whether one file can hold several cases.
    """

    endings: ClassVar[tuple[str, ...]]
    convention: ClassVar[Convention] = Convention()
    written_ending: ClassVar[str | None] = None
    holds_many: ClassVar[bool] = False

    def claims(self, path: Path) -> bool:
        """Say whether a file of these endings is of this kind, by its content."""
        return True

    @abstractmethod
    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        """Return what the file says, or raise FormatError without the path.

        ``count`` is the number of landmarks, if it is known.
        """

    def text(self, items: Sequence[Item]) -> str:
        """Return the content of a file of these cases."""
        raise FormatError(f"points cannot be written as {type(self).__name__}.")


def read_points(
    path: Path,
    names: Sequence[str] | None = None,
    geometry_of: GeometryOf = lambda case: None,
    *,
    coordinates: Mapping[str, Any] | None = None,
    kind: str | None = None,
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
    reader = find_point_file(path, kind)
    usual = reader.convention.changed(coordinates or {})
    found: dict[str, Points] = {}
    try:
        for entry in reader.parse(path, None if names is None else len(names)):
            case = case_id(path) if entry.case is None else entry.case
            if case in found:
                raise FormatError(f"case {case!r} comes twice; leave one.")
            try:
                found[case] = _points(entry, names, geometry_of(case), usual)
            except FormatError as error:
                where = "" if entry.case is None else f"case {case!r}: "
                raise FormatError(f"{where}{error}") from None
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8 text ({error}).") from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}).") from None
    return found


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


def case_id(path: Path) -> str:
    """Return the case that a file's name tells.

    Examples
    --------
    >>> case_id(Path("scan_1.mrk.json"))
    'scan_1'
    """
    ending = match_ending(path.name.lower(), point_endings())
    return path.name[: -len(ending)] if ending else path.stem


def image_case(name: str) -> str:
    """Return the case of an image's file name, as tables give it.

    Examples
    --------
    >>> image_case("images/scan_1_0000.nii.gz"), image_case("scan_1")
    ('scan_1', 'scan_1')
    """
    file = name.strip().replace("\\", "/").rpartition("/")[2]
    ending = match_ending(file.lower(), known_endings())
    if not ending:
        return file
    stem = file[: -len(ending)]
    return stem[:-5] if stem.endswith("_0000") else stem


def _points(
    entry: Entry,
    names: Sequence[str] | None,
    geometry: Geometry | None,
    usual: Convention,
) -> Points:
    """Return the points of an entry in index space."""
    named = _rename(list(entry.points), names, entry.in_order)
    rows = {named[key]: row for key, row in entry.points.items()}
    kept = {
        n: row for n, row in rows.items() if row[0] is not None or row[1] is not None
    }
    lengths = {len(place) for place, _ in kept.values() if place is not None}
    if len(lengths) > 1:
        raise FormatError(f"its points have {' or '.join(map(str, lengths))} numbers.")
    size = lengths.pop() if lengths else (geometry.dim if geometry else 3)
    raw = np.full((len(kept), size), np.nan)
    status = np.full(len(kept), PRESENT, dtype=np.int8)
    for i, (place, known) in enumerate(kept.values()):
        if place is not None:
            raw[i] = place
        if known is not None:
            status[i] = known
    convention = entry.stated or usual
    places = convention.to_index(raw, geometry)
    details = {
        named[key]: value for key, value in entry.details.items() if key in named
    }
    return Points(
        tuple(kept),
        places,
        status,
        _columns(tuple(kept), details),
    )


def _rename(
    found: list[str], names: Sequence[str] | None, in_order: bool
) -> dict[str, str]:
    """Return the landmark of each name in the file."""
    if in_order and names is not None:
        if len(found) != len(names):
            raise FormatError(
                f"it has {len(found)} points without names; `landmarks` has "
                f"{len(names)}. Give NaN where a point is missing."
            )
        return dict(zip(found, names, strict=True))
    if names is None or set(found) & set(names) or not found:
        return {name: name for name in found}
    if not set(found) <= {str(i) for i in range(1, len(names) + 1)}:
        raise FormatError(
            f"it has the landmarks {_some(found)}; none of them is in `landmarks`: "
            f"{_some(names)}."
        )
    return {name: names[int(name) - 1] for name in found}


def _columns(
    names: Sequence[str], details: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the details as one array of length L for each, NaN where not given."""
    columns: dict[str, Any] = {}
    for key in dict.fromkeys(k for of in details.values() for k in of):
        values = {
            n: np.asarray(of[key])
            for n, of in details.items()
            if of.get(key) is not None
        }
        first = next(iter(values.values()), np.array(""))
        if first.dtype.kind not in "fiub":
            continue
        column = np.full((len(names), *first.shape), np.nan)
        for i, name in enumerate(names):
            if name in values and values[name].shape == first.shape:
                column[i] = values[name]
        columns[key] = column
    return columns


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(str, names[:5]))
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


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
    """Return coordinates; None where they are missing (empty, NaN, or all -1)."""
    texts = [str(value).strip().lower() for value in values]
    if all(text in ("", "nan", "none", "null", "na") for text in texts):
        return None
    try:
        place = [float(text) for text in texts]
    except ValueError:
        raise FormatError(f"{', '.join(texts)} are no coordinates.") from None
    return None if all(value == -1 for value in place) else place


def in_order(case: str | None, rows: Sequence[Sequence[Any]]) -> Entry:
    """Return an entry of coordinates without names, in the order of the landmarks."""
    points = {str(i): (place_of(row), None) for i, row in enumerate(rows, start=1)}
    return Entry(case=case, points=points, in_order=True)
