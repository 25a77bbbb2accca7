"""NIfTI files in nibabel's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats._checks import must_have_size
from autoseg.formats._in_files.nifti_layout import LAYOUTS
from autoseg.formats._itk import ItkFiles
from autoseg.formats._nifti import (
    NiftiFile,
    open_nifti,
    read_nifti,
    read_nifti_header,
)
from autoseg.formats._nifti_geometry import UNIT_CODES, unit_code, with_doubts
from autoseg.formats.base import Array
from autoseg.formats.header import in_wanted, with_fields
from autoseg.geometry.mapped import is_large
from autoseg.spec.image import Geometry

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class NibabelFiles(ItkFiles):
    """NIfTI files with nibabel's scaling, spacing and affine."""

    endings = (".nii.gz", ".nii")
    automatic = False
    probabilities_ending = ".nii.gz"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        file = read_nifti(path)
        return _scaled(file), _geometry(file, unit)

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry] | None:
        if not is_large(read_nifti_header(path).array.size):
            return None
        file = open_nifti(path)
        return _scaled(file), _geometry(file, unit)

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        return _geometry(read_nifti_header(path), unit)


def _scaled(file: NiftiFile) -> Array:
    """Return the array as nibabel's ``get_fdata`` gives it, but not all as float64.

    Unlike ITK, nibabel leaves values as they are if slope or intercept is not finite.
    """
    slope, inter = float(file.header["scl_slope"]), float(file.header["scl_inter"])
    return file.scaled() if np.isfinite([slope, inter]).all() and slope else file.array


def _geometry(file: NiftiFile, unit: str | None) -> Geometry:
    from nibabel import Nifti1Header, Nifti2Header

    shape = file.array.shape[1:]
    dim = len(shape)
    kind: Any = Nifti2Header if int(file.header["sizeof_hdr"]) == 540 else Nifti1Header
    header = kind(file.header.tobytes(), check=False)
    # What nibabel makes of edges below 0 when it reads a file; those of 0 are refused.
    header["pixdim"][1:4] = np.abs(header["pixdim"][1:4])
    affine = TO_LPS @ header.get_best_affine()
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / np.where(lengths > 0, lengths, 1)
    geometry = Geometry(
        shape=shape,
        spacing=tuple(float(zoom) for zoom in header.get_zooms()[:dim][::-1]),
        unit=unit or "mm",
        origin=tuple((affine[:dim, 3] + 0.0).tolist()),  # no negative zeros
        direction=tuple((direction[:dim, :dim] + 0.0).ravel().tolist()),
    )
    geometry = with_doubts(geometry, file)
    return with_fields(geometry, "nifti", file.geometry_fields())


def from_nibabel(image: Any, name: Path) -> tuple[Array, Geometry]:
    """Return the channels and the geometry of an image in nibabel's memory.

    Parameters
    ----------
    image : nibabel image
        Of two or three axes (x, y, z), or with channels behind them; or in color.
    name : Path
        For messages.

    Returns
    -------
    array : ndarray, shape (C, *S)
        In its own number type.
    geometry : Geometry
        By its affine, in millimeters or what its header says. Without an affine, and
        where a NIfTI header has neither qform nor sform, it is not oriented.

    Raises
    ------
    FormatError
        If it has too many axes, or no size along one.
    """
    values = np.asanyarray(image.dataobj)
    dim = min(values.ndim, 3)
    if values.dtype.names:  # a record of red, green and blue
        values = np.stack([values[color] for color in values.dtype.names], -1)
    if dim < 2 or sum(n > 1 for n in values.shape[dim:]) > 1:
        raise FormatError(
            f"{name} has the shape {values.shape}; it needs two or three axes, and one "
            "more for channels if there are several."
        )
    array = values.transpose(*range(values.ndim)[::-1])
    array = array.reshape(-1, *array.shape[-dim:])
    known = image.affine is not None
    affine = TO_LPS @ (image.affine if known else image.header.get_base_affine())
    columns = affine[:dim, :dim]
    edges = np.sqrt((affine[:3, :dim] ** 2).sum(axis=0))
    geometry = Geometry(
        shape=array.shape[1:],
        spacing=tuple(edges[::-1].tolist()),
        origin=tuple(affine[:dim, 3].tolist()),
        direction=tuple((columns / np.where(edges > 0, edges, 1)).ravel().tolist()),
    )
    must_have_size(geometry, name)
    header = getattr(image.header, "structarr", None)
    if header is None or "xyzt_units" not in (header.dtype.names or ()):
        return array, replace(geometry, oriented=known)
    file = NiftiFile(array, _record(image.header), b"")
    geometry = in_wanted(geometry, UNIT_CODES.get(unit_code(file)), None)
    geometry = with_doubts(geometry, file)
    return array, replace(geometry, oriented=known and geometry.oriented)


def _record(header: Any) -> Any:
    """Return the fields of one of nibabel's headers as our layouts name them."""
    layout = LAYOUTS[int(header["sizeof_hdr"])]
    block = header.as_byteswapped("<").binaryblock
    return np.frombuffer(block, layout, 1)[0]
