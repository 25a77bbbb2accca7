"""SimpleITK's images to arrays with a geometry, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._checks import must_have_size
from autoseg.formats.header import in_wanted, with_remarks
from autoseg.spec.foreign.units import unit_of
from autoseg.spec.image import Geometry

Array = NDArray[Any]

UNIT_KEY = "ITK_VoxelUnits"  # what ITK keeps of a MetaImage's DistanceUnits
SKEWED = 1e-3  # of a matrix times itself: more is no rounding of a header


def from_sitk(image: Any, path: Path, unit: str | None) -> tuple[Array, Geometry]:
    """Return a SimpleITK image's channels and geometry.

    Parameters
    ----------
    image : SimpleITK.Image
        Of two or three axes, or of four, the last of which is the channel.
    path : Path
        The file, for messages.
    unit : str or None
        Unit of the spacing that is wanted; None: millimeters.

    Returns
    -------
    array : ndarray, shape (C, *S)
        Voxels in the order of the file.
    geometry : Geometry
        Origin and direction as ITK has them.

    Raises
    ------
    FormatError
        If there are other numbers of axes, or no size along one.
    """
    array = channels_of(image, path)
    word = image.GetMetaData(UNIT_KEY) if image.HasMetaDataKey(UNIT_KEY) else None
    geometry = itk_geometry(image)
    must_have_size(geometry, path)
    return array, in_wanted(geometry, word, unit)


def channels_of(image: Any, path: Path) -> Array:
    """Return the voxels of a SimpleITK image, of shape (C, *S); see `from_sitk`."""
    import SimpleITK

    if image.GetNumberOfPixels() == 0:
        raise FormatError(f"{path} has no voxels: its size is {image.GetSize()}.")
    array = SimpleITK.GetArrayFromImage(image)
    dim = image.GetDimension()
    vector = image.GetNumberOfComponentsPerPixel() > 1
    if dim > 4 or (dim == 4 and vector):
        raise FormatError(f"{path} has {dim} axes; autoseg reads images of 2 or 3.")
    if vector:
        return np.moveaxis(array, -1, 0)
    return array[None] if dim < 4 else array


def itk_geometry(source: Any) -> Geometry:
    """Return where the voxels of a SimpleITK image are, or of a file's header.

    Parameters
    ----------
    source : SimpleITK.Image or SimpleITK.ImageFileReader
        A reader must have read the information. A negative spacing is turned into
        another direction, as ITK does it when it reads the voxels.

    Returns
    -------
    Geometry
        With the numbers as they are.
    """
    axes = source.GetDimension()
    space = min(axes, 3)
    direction = np.reshape(source.GetDirection(), (axes, axes))[:space, :space]
    spacing, direction = unflipped(source.GetSpacing()[:space], direction)
    geometry = Geometry(
        shape=tuple(source.GetSize()[:space][::-1]),
        spacing=tuple(spacing[::-1].tolist()),
        origin=tuple(source.GetOrigin()[:space]),
        direction=tuple(direction.ravel().tolist()),
    )
    return with_remarks(geometry, _skewed(direction))


def unflipped(spacing: Sequence[float], direction: Array) -> tuple[Array, Array]:
    """Return spacing without negative numbers, and the direction that goes with it.

    Parameters
    ----------
    spacing : sequence of float, length D
        In ITK's order, as a header gives it.
    direction : ndarray, shape (D, D)
        ITK's matrix.

    Returns
    -------
    spacing : ndarray of float64, shape (D,)
        Not negative.
    direction : ndarray of float64, shape (D, D)
        With the columns of negative edges the other way.
    """
    edges = np.asarray(spacing, dtype=np.float64)
    signs = np.where(edges < 0, -1.0, 1.0)
    if (signs > 0).all():
        return edges, np.asarray(direction, dtype=np.float64)
    return np.abs(edges), direction * signs + 0.0  # no negative zeros


def to_sitk(array: Array, geometry: Geometry) -> Any:
    """Return a SimpleITK image of an array of shape S, or (C, *S) as a vector image."""
    import SimpleITK

    vector = array.ndim > geometry.dim
    if vector:
        array = np.moveaxis(array, 0, -1)
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array), isVector=vector)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    if unit_of(geometry.unit).has_size and geometry.unit != "mm":
        image.SetMetaData(UNIT_KEY, geometry.unit)
    return image


def quiet() -> None:
    """Keep ITK's warnings about headers off the terminal; errors are exceptions."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)


def _skewed(direction: Array) -> list[str]:
    """Return a remark if the axes are not of unit length, or not square to another."""
    if (np.abs(direction).sum(0) == 1).all() and (np.abs(direction).max(0) == 1).all():
        return []  # along the axes
    lengths = np.linalg.norm(direction, axis=0)
    if np.abs(lengths - 1).max() > SKEWED:
        listed = ", ".join(f"{length:.4g}" for length in lengths)
        return [
            f"the columns of its direction matrix have the lengths {listed} (x, y, z), "
            "not 1: by ITK its voxels are that much longer than its spacing says"
        ]
    if np.abs(direction.T @ direction - np.eye(len(direction))).max() > SKEWED:
        return [
            "its axes are not square to each other (a sheared direction matrix); they "
            "are taken for square"
        ]
    return []
