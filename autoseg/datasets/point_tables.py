"""One file with the points of all training cases."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from autoseg.datasets.files import list_files
from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.pointfiles.base import cases_in, find_point_file, point_endings

TABLES = ("labelsTr", "points", "landmarks", "keypoints", "annotations")
"""What one file for all cases may be called, without ending, beside imagesTr."""

NO_TABLES = ("dataset", "splits", "splits_final", "fingerprint", "plan")
LABELS = "labelsTr"


def find_point_table(folder: Path, ids: Collection[str] = ()) -> Path | None:
    """Return the one file that holds the points of all training cases.

    Parameters
    ----------
    folder : Path
        Of the data set.
    ids : collection of str
        The training cases.

    Returns
    -------
    Path or None
        ``labelsTr.csv``, ``points.csv`` or the like (or another file of points) beside
        imagesTr; or the only file in the folder ``labelsTr`` if it names its cases, or
        is called like none and cannot be read; or without such a folder the only file
        beside imagesTr that names cases, or that is of a kind of points and cannot be
        read. None if there is none, and so each case has a file of its own.
    """
    beside = _point_files(folder)
    for name in TABLES:
        for path, stem in beside.items():
            if stem == name:
                return path
    inside = list_files(folder / LABELS)
    if inside:
        alone = _point_files(folder / LABELS) if len(inside) == 1 else {}
        return next((p for p, stem in alone.items() if _is_table(p, stem, ids)), None)
    others = [
        path
        for path, stem in beside.items()
        if stem not in NO_TABLES and set(_cases(path) or ()) & set(ids)
    ]
    if not others:  # whoever reads the one that cannot be read says why
        others = [p for p, stem in beside.items() if _is_broken(p, stem)]
    return others[0] if len(others) == 1 else None


def _is_broken(path: Path, stem: str) -> bool:
    """Return whether a file is of a kind of points, and cannot be read."""
    if stem in NO_TABLES or _cases(path) is not None:
        return False
    try:
        return find_point_file(path).is_sure
    except FormatError:
        return False


def _point_files(folder: Path) -> dict[Path, str]:
    """Return the files of points in a folder, and their names without ending."""
    endings = tuple(set(point_endings()) - set(known_endings()))
    found = {path: match_ending(path.name, endings) for path in list_files(folder)}
    return {path: path.name[: -len(end)] for path, end in found.items() if end}


def _is_table(path: Path, stem: str, ids: Collection[str]) -> bool:
    cases = _cases(path)
    if cases is None:  # whoever reads it says why, for all cases at once
        return bool(ids) and stem not in ids
    return bool(cases)


def _cases(path: Path) -> tuple[str, ...] | None:
    """Return the cases that a file names; None if it cannot be read."""
    try:
        return cases_in(path)
    except FormatError:
        return None
