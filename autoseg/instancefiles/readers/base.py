"""The interface of a file of objects, and how to find and read one."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._classes import Classes
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
    Remark,
)
from autoseg.instancefiles.readers._painting import (
    Numbers,
    Painted,
    may_be_one,
    paint,
)
from autoseg.spec.foreign.json import load_json
from autoseg.spec.image import Geometry

__all__ = [
    "Content",
    "Drawn",
    "InstanceFile",
    "Painted",
    "Picture",
    "Places",
    "Remark",
    "beside",
    "case_id",
    "cases_in",
    "content_of",
    "crowds_of",
    "find_instance_file",
    "instance_endings",
    "is_instance_file",
    "names_of",
    "picture_of",
    "read_objects",
    "remarks_of",
]

SHOWN = 3  # pictures in a message


def instance_endings() -> tuple[str, ...]:
    """Return the endings of all kinds."""
    kinds = [INSTANCEFILES[name]() for name in INSTANCEFILES.names()]
    return tuple(sorted({ending for kind in kinds for ending in kind.endings}))


def is_instance_file(path: Path) -> bool:
    """Return whether a file's ending is of these kinds, and of no image."""
    ending = match_ending(path.name, (*instance_endings(), *known_endings()))
    return ending in instance_endings()


def case_id(path: Path) -> str:
    """Return the case that a file's name tells.

    Examples
    --------
    >>> case_id(Path("scan_1.geojson"))
    'scan_1'
    """
    ending = match_ending(path.name, instance_endings())
    return path.name[: -len(ending)] if ending else path.stem


def find_instance_file(path: Path, kind: str | None = None) -> InstanceFile:
    """Return what reads a file.

    Parameters
    ----------
    path : Path
        Its ending decides, and where several kinds have that ending, its content.
    kind : str, optional
        Its name, if it is known.

    Returns
    -------
    InstanceFile
        The plug-in.

    Raises
    ------
    FormatError
        If there is none.
    """
    if kind is not None:
        made: InstanceFile = INSTANCEFILES[kind]()
        return made
    if not path.is_file():
        raise FormatError(f"{path} does not exist.")
    plugins = [INSTANCEFILES[name]() for name in INSTANCEFILES.names()]
    fitting: dict[InstanceFile, int] = {
        plugin: len(ending)
        for plugin in plugins
        if (ending := match_ending(path.name, plugin.endings))
    }
    for plugin in sorted(fitting, key=lambda plugin: -fitting[plugin]):
        if plugin.claims(path):
            return plugin
    if path.suffix.lower() == ".json":
        load_json(path)  # says what is wrong, if it is no JSON at all
    if not fitting:
        known = ", ".join(instance_endings())
        raise FormatError(f"{path}: files of objects are read as {known}.")
    raise FormatError(
        f"{path} is no file of objects as docs/instance.md describes them. Look "
        "whether it is the right file, or write it again."
    )


def content_of(path: Path, kind: str | None = None) -> Content:
    """Return what a file says; what was read last is kept until the file changes.

    Parameters
    ----------
    path : Path
        The file.
    kind : str, optional
        A file in ``autoseg/instancefiles/readers``; by default by ending and content.

    Returns
    -------
    Content
        By picture.

    Raises
    ------
    FormatError
        If it cannot be read; names the file.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror}).") from None
    return _parsed(path, kind, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=2)
def _parsed(path: Path, kind: str | None, *_: int) -> Content:
    try:
        return find_instance_file(path, kind).parse(path)
    except FormatError as error:
        text = str(error)
        where = "" if text.startswith(str(path)) else f"{path}: "
        raise FormatError(f"{where}{text}") from None
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not UTF-8 text ({error}). Save it as UTF-8."
        ) from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error}).") from None


def beside(path: Path) -> list[Path]:
    """Return other files that say something about a file of objects."""
    kinds = (INSTANCEFILES[name]() for name in INSTANCEFILES.names())
    fitting = (kind for kind in kinds if match_ending(path.name, kind.endings))
    return [other for kind in fitting for other in kind.beside(path)]


def cases_in(path: Path) -> tuple[str, ...]:
    """Return the cases that a file names; none if it is of one, unnamed."""
    pictures = content_of(path).pictures
    return tuple(one.case for one in pictures if one.case is not None)


def picture_of(path: Path, case_id: str) -> Picture:
    """Return what a file says about a case; of a file of one picture, that.

    Parameters
    ----------
    path : Path
        The file.
    case_id : str
        The case.

    Returns
    -------
    Picture
        Its objects.

    Raises
    ------
    FormatError
        If the file has no such picture, or nobody can tell which one it is.
    """
    pictures = content_of(path).pictures
    own = [one for one in pictures if one.case in (None, case_id)]
    if not own:  # it is listed as the annotation of another name
        name = path.name[: -len(match_ending(path.name, instance_endings()) or "")]
        own = [one for one in pictures if one.case == name]
    if not own and len(pictures) == 1:
        own = list(pictures)
    if not own:
        some = ", ".join(one.called for one in pictures[:SHOWN])
        such = f", such as {some}" if some else ""
        raise FormatError(
            f"{path} has no image called {case_id}; it has {len(pictures)}{such}. Add "
            "the case to it, or name the files alike."
        )
    if own[0].fault:
        raise FormatError(f"{path}: {case_id}: {own[0].fault}.")
    return own[0]


def read_objects(
    path: Path,
    case_id: str,
    labels: Mapping[int, str],
    geometry: Geometry | None = None,
    *,
    crowds: bool = False,
    mark: str = "",
) -> Painted:
    """Return the objects of a case as a map.

    Parameters
    ----------
    path : Path
        The file.
    case_id : str
        The case.
    labels : mapping of int to str
        Names of the classes by number; empty: numbers are taken as they are.
    geometry : Geometry, optional
        Of the case's image; by default a grid of the size that the file says.
    crowds : bool
        Crowds that are in one piece are objects.
    mark : str
        ``"point"`` or ``"box"``: these stand for objects, too; else they are refused.

    Returns
    -------
    Painted
        Map of ids, classes and names.

    Raises
    ------
    FormatError
        If anything cannot be drawn; names the file and every fault.
    """
    picture = picture_of(path, case_id)
    classes = Classes(content_of(path), labels)
    return paint(path, picture, classes, geometry, crowds=crowds, mark=mark)


def names_of(
    path: Path,
    case_id: str,
    labels: Mapping[int, str] = MappingProxyType({}),
    *,
    crowds: bool = False,
) -> dict[int, str]:
    """Return what messages call each object, by the id that `read_objects` gives it.

    Parameters
    ----------
    path : Path
        The file.
    case_id : str
        The case.
    labels : mapping of int to str
        Names of the classes by number.
    crowds : bool
        Crowds that are in one piece are objects.

    Returns
    -------
    dict of int to str
        Also of those that leave no voxel.
    """
    picture = picture_of(path, case_id)
    numbers = Numbers()
    classes = Classes(content_of(path), labels)
    for drawn in picture.objects:
        if classes.ignores(picture, drawn):
            continue
        if not drawn.crowd or (crowds and may_be_one(drawn, _drawn(drawn, picture))):
            numbers.of(drawn)
    return numbers.names


def crowds_of(path: Path, case_id: str) -> tuple[int, int]:
    """Return how many crowds a picture has, and how many are one mask in one piece.

    Parameters
    ----------
    path : Path
        The file.
    case_id : str
        The case.
    """
    picture = picture_of(path, case_id)
    crowds = [one for one in picture.objects if one.crowd]
    return len(crowds), sum(may_be_one(one, _drawn(one, picture)) for one in crowds)


def _drawn(drawn: Drawn, picture: Picture) -> Places:
    """Return the pixels of an object of a picture whose size its file says."""
    if picture.shape is None:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    return drawn.draw(picture.shape)


def remarks_of(path: Path, labels: Mapping[int, str]) -> list[Remark]:
    """Return what is odd about a file as a whole.

    Parameters
    ----------
    path : Path
        The file.
    labels : mapping of int to str
        Names of the classes by number.

    Returns
    -------
    list of Remark
        For `check`.
    """
    content = content_of(path)
    return [*content.remarks, *Classes(content, labels).remarks()]
