"""Where the voxels of an image are, without reading them."""

from __future__ import annotations

from autoseg.errors import FormatError
from autoseg.formats._checks import must_exist, must_have_size
from autoseg.formats.base import find_format
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
    return geometry
