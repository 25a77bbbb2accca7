"""ITK's view of files: arrays with a geometry, and back, to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._arrays import as_storable
from autoseg.formats._header import fields_of, with_fields
from autoseg.formats._nifti import (
    COLORS,
    NiftiFile,
    read_nifti,
    read_nifti_header,
    write_nifti,
)
from autoseg.formats._nrrd import read_nrrd_fields, write_nrrd
from autoseg.formats.base import Array, Format
from autoseg.spec.image import Geometry

# What all readers of these formats know; 64-bit integers are trouble to many.
LABEL_KINDS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32)
MILLIMETERS = {1: 1e3, 3: 1e-3}  # by NIfTI's code of a unit: meter, micrometer
GIPL_HEADER = 256  # bytes


class ItkFiles(Format):
    """Files that ITK reads, with ITK's origin and direction.

    NIfTI files are read and checked byte by byte, the others by SimpleITK. NIfTI and
    NRRD files are written with the fields of geometry that the image's file has.
    """

    endings: ClassVar[tuple[str, ...]] = (
        ".nii.gz",
        ".nii",
        ".seg.nrrd",
        ".nrrd",
        ".mha",
        ".mhd",
        ".gipl",
    )
    probabilities_ending = ".nii.gz"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        if is_nifti(path):
            file = read_nifti(path)
            return file.scaled(), nifti_geometry(file, path, unit)
        _check_size(path)
        array, geometry = from_sitk(_read(path), path, unit)
        fields = read_nrrd_fields(path, geometry.dim) if is_nrrd(path) else None
        return array, with_fields(geometry, "nrrd", fields)

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        if is_nifti(path):
            return nifti_geometry(read_nifti_header(path), path, unit)
        import SimpleITK

        reader = SimpleITK.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            _quiet()
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise _unreadable(path, error) from None
        dim = min(reader.GetDimension(), 3)
        direction = np.reshape(reader.GetDirection(), (reader.GetDimension(),) * 2)
        return Geometry(
            shape=tuple(reader.GetSize()[:dim][::-1]),
            spacing=tuple(abs(s) for s in reader.GetSpacing()[:dim][::-1]),
            unit=unit or "mm",
            origin=tuple(reader.GetOrigin()[:dim]),
            direction=tuple(direction[:dim, :dim].ravel().tolist()),
        )

    def is_picture(self, path: Path) -> bool:
        return is_nifti(path) and int(read_nifti_header(path).header["datatype"]) in (
            COLORS
        )

    def remarks(self, geometry: Geometry) -> tuple[str, ...]:
        fields = fields_of(geometry, "nifti") or {}
        given = fields.get("pixdim", (1, 1, 1, 1))[1 : geometry.dim + 1]
        if min(given) > 0:
            return ()
        return (
            f"its header gives the spacing {given} (x, y, z), where 0 or less cannot "
            f"be; it is read as {geometry.spacing[::-1]}",
        )

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        write_array(path, as_storable(labels, LABEL_KINDS, path), geometry)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        write_array(path, np.asarray(array, dtype=np.float32), geometry)


def is_nifti(path: Path) -> bool:
    """Return whether a file's name says NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def is_nrrd(path: Path) -> bool:
    """Return whether a file's name says NRRD."""
    return path.name.lower().endswith(".nrrd")


def nifti_geometry(file: NiftiFile, path: Path, unit: str | None) -> Geometry:
    """Return the geometry of a NIfTI file as ITK understands it.

    Parameters
    ----------
    file : NiftiFile
        The file.
    path : Path
        Where it is.
    unit : str or None
        None: millimeters, into which ITK converts. Otherwise the header's numbers are
        taken as they are, in this unit.

    Returns
    -------
    Geometry
        Of a header that ITK refuses (NIfTI-2, and matrices that are not quite
        orthonormal) the nearest rotation.
    """
    import SimpleITK

    shape = file.array.shape[1:]
    dim = len(shape)
    scale = MILLIMETERS.get(int(file.header["xyzt_units"]) & 7, 1.0)
    if unit is not None:
        scale = 1.0
    spacing = np.abs(file.header["pixdim"][1 : dim + 1].astype(np.float64)) * scale
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        _quiet()
        reader.ReadImageInformation()
    except RuntimeError:
        origin, direction = _nearest_rotation(file, dim)
    else:
        axes = reader.GetDimension()
        factor = scale / MILLIMETERS.get(int(file.header["xyzt_units"]) & 7, 1.0)
        origin = np.array(reader.GetOrigin()[:dim]) * factor
        direction = np.reshape(reader.GetDirection(), (axes, axes))[:dim, :dim]
        if factor == 1:
            spacing = np.array(reader.GetSpacing()[:dim])
    geometry = Geometry(
        shape=shape,
        spacing=tuple(spacing[::-1].tolist()),
        unit=unit or "mm",
        origin=tuple((origin + 0.0).tolist()),  # no negative zeros
        direction=tuple((direction + 0.0).ravel().tolist()),
    )
    return with_fields(geometry, "nifti", file.geometry_fields())


def _nearest_rotation(file: NiftiFile, dim: int) -> tuple[Array, Array]:
    """Return origin and direction, in ITK's frame, of a header that ITK refuses."""
    from nibabel import Nifti1Header, Nifti2Header

    kind = Nifti2Header if int(file.header["sizeof_hdr"]) == 540 else Nifti1Header
    header = kind(file.header.tobytes(), check=False)
    affine = np.diag([-1, -1, 1, 1]) @ header.get_best_affine()
    matrix = affine[:3, :3] / np.maximum(np.linalg.norm(affine[:3, :3], axis=0), 1e-12)
    # The nearest orthonormal matrix, by polar decomposition.
    left, _, right = np.linalg.svd(matrix)
    return affine[:dim, 3], (left @ right)[:dim, :dim]


def from_sitk(image: Any, path: Path, unit: str | None) -> tuple[Array, Geometry]:
    """Return a SimpleITK image's channels and geometry.

    Parameters
    ----------
    image : SimpleITK.Image
        Of two or three axes, or of four, the last of which is the channel.
    path : Path
        The file, for messages.
    unit : str or None
        Unit of the spacing; None: millimeters.

    Returns
    -------
    array : ndarray, shape (C, *S)
        Voxels in the order of the file.
    geometry : Geometry
        Origin and direction as ITK has them.

    Raises
    ------
    FormatError
        If there are other numbers of axes, or none along one.
    """
    import SimpleITK

    if image.GetNumberOfPixels() == 0:
        raise FormatError(f"{path} has no voxels: its size is {image.GetSize()}.")
    array = SimpleITK.GetArrayFromImage(image)
    dim = image.GetDimension()
    vector = image.GetNumberOfComponentsPerPixel() > 1
    if dim > 4 or (dim == 4 and vector):
        raise FormatError(f"{path} has {dim} axes; autoseg reads images of 2 or 3.")
    if vector:
        array = np.moveaxis(array, -1, 0)
    elif dim < 4:
        array = array[None]
    space = min(dim, 3)
    direction = np.reshape(image.GetDirection(), (dim, dim))[:space, :space]
    geometry = Geometry(
        shape=array.shape[1:],
        spacing=tuple(abs(s) for s in image.GetSpacing()[:space][::-1]),
        unit=unit or "mm",
        origin=tuple(image.GetOrigin()[:space]),
        direction=tuple(direction.ravel().tolist()),
    )
    return array, geometry


def write_array(path: Path, array: Array, geometry: Geometry) -> None:
    """Write an array of shape S or (C, *S) atomically.

    Parameters
    ----------
    path : Path
        A file with one of ITK's endings.
    array : ndarray, shape S or (C, *S)
        Channels become the fourth axis of a NIfTI file, the components of others.
    geometry : Geometry
        Of the file.

    Raises
    ------
    FormatError
        If the array does not fit the geometry, or the file cannot hold it.
    """
    if array.shape[array.ndim - geometry.dim :] != geometry.shape:
        raise FormatError(
            f"{path}: an array of shape {array.shape} does not fit the geometry's "
            f"{geometry.shape}."
        )
    scalar = array.ndim == geometry.dim
    nifti = fields_of(geometry, "nifti") if is_nifti(path) else None
    nrrd = fields_of(geometry, "nrrd") if is_nrrd(path) and scalar else None
    with atomically(path) as temporary:
        if nifti is not None and (scalar or geometry.dim == 3):
            write_nifti(temporary, array, nifti)
        elif nrrd is not None:
            write_nrrd(temporary, array, nrrd)
        else:
            _write(temporary, array, geometry)


def _read(path: Path) -> Any:
    import SimpleITK

    _quiet()
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> FormatError:
    return FormatError(
        f"{path} cannot be read ({_last_line(error)}). It may be damaged or of another "
        "format than its name says; get or write it again."
    )


def _write(path: Path, array: Array, geometry: Geometry) -> None:
    import SimpleITK

    vector = array.ndim > geometry.dim
    try:
        if vector and is_nifti(path):
            image = SimpleITK.JoinSeries([to_sitk(c, geometry) for c in array])
        else:
            image = to_sitk(array, geometry)
        SimpleITK.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise FormatError(
            f"{path.name} cannot be written ({_last_line(error)})."
        ) from None


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
    return image


def _quiet() -> None:
    """Keep ITK's warnings about headers off the terminal; errors are exceptions."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)


def _check_size(path: Path) -> None:
    """Refuse a GIPL file that was cut off, which ITK reads without a word."""
    if not path.name.lower().endswith(".gipl"):
        return
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return  # reading the file says why
    sample = SimpleITK.Image([1, 1], reader.GetPixelID())
    voxels = int(np.prod(reader.GetSize()))
    needed = GIPL_HEADER + voxels * sample.GetSizeOfPixelComponent()
    there = path.stat().st_size
    if there < needed:
        raise FormatError(
            f"{path} is cut off: {there} of {needed} bytes are there. Copy it again."
        )


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip()
