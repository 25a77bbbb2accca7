"""Where the voxels of an image are, without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoseg.errors import FormatError
from autoseg.formats._checks import must_exist, must_have_size
from autoseg.formats.base import find_format, known_endings, match_ending
from autoseg.formats.header import measured_in
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry


def read_geometry(case: Case, dataset: Dataset) -> Geometry:
    """Read where the voxels of a case's image are, and not the voxels.

    Parameters
    ----------
    case : Case
        A case of the data set, or one with files of the same kind.
    dataset : Dataset
        Gives spacing, unit, format and the number of channels.

    Returns
    -------
    Geometry
        Of the first file.

    Raises
    ------
    FormatError
        If the file is missing or is no image.
    """
    if not case.images:
        raise FormatError(f"case {case.id} has no image; put one into imagesTr.")
    path, count = case.images[0], len(dataset.channel_names)
    must_exist(path)
    share = count if len(case.images) == 1 else 1
    geometry = find_format(path, dataset.format).geometry(
        path, dataset.spacing, dataset.unit, share
    )
    must_have_size(geometry, path)
    return measured_in(geometry, dataset.lengths)


def may_differ_in_unit(paths: Iterable[Path], dataset: Dataset | None) -> bool:
    """Return whether some files may be measured in another unit than others.

    Parameters
    ----------
    paths : iterable of Path
        Images and annotations; only their names are looked at.
    dataset : Dataset or None
        Its ``unit`` is one for all of them.
    """
    if dataset is not None and dataset.unit is not None:
        return False
    wanted = None if dataset is None else dataset.format
    kinds = {match_ending(path.name, known_endings()) for path in paths}
    return any(find_format(ending, wanted).several_units for ending in kinds if ending)
