"""Files of points: which case each belongs to, and in which image it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from autoseg.datasets.files import find_cases, list_files
from autoseg.datasets.points import ENDING as OURS
from autoseg.datasets.points import conventions
from autoseg.datasets.series.choice import choice_of
from autoseg.errors import FormatError, UsageError
from autoseg.evaluate.files import DRAWN, case_of, files_by_case
from autoseg.evaluate.points import POINT_TABLE
from autoseg.formats.base import known_endings
from autoseg.formats.geometry import read_geometry
from autoseg.pointfiles.base import case_id, cases_in, point_endings
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.place import is_there
from autoseg.spec.image import Geometry
from autoseg.workspace import ALL_POINTS, SUMMARY, SUMMARY_TABLE, UNCERTAINTY

PathLike = str | os.PathLike[str]
ENDINGS = tuple(sorted(set(point_endings()) - set(known_endings())))
# What stands beside predictions and is none.
OTHERS = (
    *(SUMMARY, SUMMARY_TABLE, POINT_TABLE, UNCERTAINTY),
    *("statistics.json", "statistics.csv"),
)


def point_files(path: Path, dataset: Dataset | None) -> dict[str, Path]:
    """Return the file of points of each case.

    Parameters
    ----------
    path : Path
        A folder with a file for each case, or a file with one or many.
    dataset : Dataset or None
        Names the landmarks.

    Returns
    -------
    dict of str to Path
        Sorted by case id; of a file with many cases, the same for each, also where it
        is all that a folder holds. Where our own JSON of a case lies beside copies in
        other kinds, it alone counts.

    Raises
    ------
    UsageError
        If there is nothing, or a case or the folder has two files.
    FormatError
        If the file cannot be read.
    """
    if path.is_file():
        return _in_table(path, dataset)
    if not path.is_dir():
        raise UsageError(f"{path} does not exist; give a file or folder of points.")
    tables = {f"{ALL_POINTS}{ending}" for ending in point_endings()}
    found: dict[str, list[Path]] = {}
    for file in list_files(path):
        case = case_of(file.name, (*DRAWN, *ENDINGS))
        if case is not None and file.name not in {*tables, *OTHERS}:
            found.setdefault(case, []).append(file)
    maps = {} if found else files_by_case(path)  # with cubes at the landmarks
    alone = [file for files in found.values() for file in files]
    if not found and not maps:
        alone = [
            file
            for file in list_files(path)
            if file.name in tables
            or (file.name == POINT_TABLE and _names_cases(file, dataset))
        ]
        if len(alone) > 1:
            raise UsageError(
                f"{path} has {' and '.join(file.name for file in alone)}, each with "
                "the points of all cases. Give the one that counts."
            )
    if len(alone) == 1 and (not found or _names_cases(alone[0], dataset)):
        return _in_table(alone[0], dataset)
    return maps or {c: _one_of(c, files) for c, files in sorted(found.items())}


def _in_table(path: Path, dataset: Dataset | None) -> dict[str, Path]:
    there = cases_in(path, conventions(dataset)[0]) or (case_id(path),)
    return dict.fromkeys(sorted(there), path)


def _names_cases(path: Path, dataset: Dataset | None) -> bool:
    try:
        return bool(cases_in(path, conventions(dataset)[0]))
    except FormatError:
        return False  # whoever reads the case says why


def _one_of(case: str, files: Sequence[Path]) -> Path:
    ours = [file for file in files if file.name == f"{case}{OURS}"]
    if len(files) > 1 and not ours:
        raise UsageError(
            f"{files[0].parent} has several files of case {case!r}: "
            f"{', '.join(file.name for file in files)}. Take away those that do not "
            "count."
        )
    return (ours or files)[0]


def images_in(folder: PathLike | None, dataset: Dataset | None) -> list[Case]:
    """Return the images in a folder; none without a folder.

    Raises
    ------
    UsageError
        If there is none in it, or no data set says how they are read.
    """
    if folder is None:
        return []
    if dataset is None:
        raise UsageError("How are the images read? Give the data set (-d), too.")
    channels = dataset.channel_names
    series = choice_of(dataset.raw, channels)
    found = find_cases(Path(folder), max(1, len(channels)), series=series)
    if not found:
        raise UsageError(f"{folder} has no image of a known format.")
    return found


def geometry_of(
    case: str, dataset: Dataset | None, cases: Sequence[Case] = ()
) -> Geometry | None:
    """Return the geometry of a case's image, from its header; None if it is not here.

    Parameters
    ----------
    case : str
        Its id.
    dataset : Dataset or None
        Whose training and test images are looked for.
    cases : sequence of Case
        Where else.
    """
    if dataset is None:
        return None
    for one in (*cases, *dataset.training, *dataset.test):
        if one.id == case and one.images and all(map(is_there, one.images)):
            return read_geometry(one, dataset)
    return None
