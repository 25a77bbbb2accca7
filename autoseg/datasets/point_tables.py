"""One file with the points of all training cases."""

from __future__ import annotations

from pathlib import Path

from autoseg.datasets.files import list_files
from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.pointfiles.base import cases_in, point_endings

NAME = "labelsTr"


def find_point_table(folder: Path) -> Path | None:
    """Return the one file that holds the points of all training cases.

    Parameters
    ----------
    folder : Path
        Of the data set.

    Returns
    -------
    Path or None
        ``labelsTr.csv`` (or another file of points) beside imagesTr, or the only file
        in the folder ``labelsTr`` if it names its cases; None if there is none, and so
        each case has a file of its own.
    """
    endings = set(point_endings()) - set(known_endings())
    beside = [
        path
        for path in list_files(folder)
        if (ending := match_ending(path.name, tuple(endings)))
        and path.name[: -len(ending)] == NAME
    ]
    files = list_files(folder / NAME)
    if not beside and len(files) == 1 and match_ending(files[0].name, tuple(endings)):
        beside = [path for path in files if _names_cases(path)]
    return beside[0] if beside else None


def _names_cases(path: Path) -> bool:
    try:
        return bool(cases_in(path))
    except FormatError:
        return False  # whoever reads it as the file of a case says why
