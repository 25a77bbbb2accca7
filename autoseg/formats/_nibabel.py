"""NIfTI files in nibabel's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.formats._itk import ItkFiles
from autoseg.formats._nifti import NiftiFile, read_nifti, read_nifti_header
from autoseg.formats._nifti_geometry import with_doubts
from autoseg.formats.base import Array
from autoseg.formats.header import with_fields
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

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        return _geometry(read_nifti_header(path), unit)


def _scaled(file: NiftiFile) -> Array:
    """Return the array as nibabel's ``get_fdata`` gives it, but not all as float64."""
    slope, inter = float(file.header["scl_slope"]), float(file.header["scl_inter"])
    if not np.isfinite([slope, inter]).all() or slope == 0 or (slope, inter) == (1, 0):
        return file.array
    result = np.empty(file.array.shape, dtype=np.float32)
    for channel, out in zip(file.array, result, strict=True):
        out[...] = channel.astype(np.float64) * slope + inter
    return result


def _geometry(file: NiftiFile, unit: str | None) -> Geometry:
    from nibabel import Nifti1Header, Nifti2Header

    shape = file.array.shape[1:]
    dim = len(shape)
    kind: Any = Nifti2Header if int(file.header["sizeof_hdr"]) == 540 else Nifti1Header
    header = kind(file.header.tobytes(), check=False)
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
