"""ITK's view of files: arrays with a geometry, and back, to the bit."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._arrays import as_storable
from autoseg.formats._in_files.raw import as_channels, stored_meta, stored_nrrd
from autoseg.formats._in_files.whole import must_be_whole, must_have_voxels
from autoseg.formats._metaimage import (
    misnamed_axes,
    read_meta_fields,
    write_meta_unit,
)
from autoseg.formats._metaimage import says_orientation as meta_says_orientation
from autoseg.formats._metaimage import unsaid_edges as no_meta_edges
from autoseg.formats._nifti import (
    COLORS,
    open_nifti,
    read_nifti,
    read_nifti_header,
    write_nifti,
)
from autoseg.formats._nifti_geometry import micrometer_fields, nifti_geometry
from autoseg.formats._nrrd import ENDINGS as NRRD
from autoseg.formats._nrrd import (
    edges_of_limits,
    geometry_fields,
    is_bzip2,
    is_text,
    read_nrrd_header,
    unit_word,
    unsaid_edges,
    write_nrrd,
    write_nrrd_unit,
)
from autoseg.formats._nrrd import says_orientation as nrrd_says_orientation
from autoseg.formats.base import Array, Format
from autoseg.formats.header import (
    as_filed,
    fields_of,
    in_wanted,
    with_fields,
    with_remarks,
)
from autoseg.formats.names import in_one_map, read_segments
from autoseg.formats.sitk import channels_of, itk_geometry, quiet, to_sitk, unflipped
from autoseg.geometry.mapped import is_large
from autoseg.spec.foreign.behind import PAIRS
from autoseg.spec.image import Geometry

# What all readers of these formats know; 64-bit integers are trouble to many.
LABEL_KINDS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32)
META = (".mha", ".mhd")
NO_EDGE = "it gives no spacing along all axes; 1 is taken where there is none"
GIPL_HEADER = 256  # bytes
# Of numbers as text, NrrdIO mixes up those of files that are read at the same time.
_text, _free = threading.Lock(), nullcontext()


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
        if is_nrrd(path) and is_bzip2(read_nrrd_header(path)):  # which ITK lacks
            must_have_voxels(path)
            geometry = self.geometry(path, spacing, unit, channels)
            found = stored_nrrd(path, geometry.dim)
            if found is not None:
                voxels = np.array(found[0].open())
                return as_channels(voxels, found[1], geometry.dim), geometry
        image = _read(path)
        return channels_of(image, path), _placed(image, path, unit)

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        array, geometry = self.load(path, spacing, unit, 1)
        segments = read_segments(path) if len(array) > 1 and is_nrrd(path) else ()
        if not segments:
            return array, geometry
        labels, notes = in_one_map(array, segments, path)
        return labels[None], with_remarks(geometry, notes=notes)

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry] | None:
        if is_nifti(path):
            if not is_large(read_nifti_header(path).array.size):
                return None
            file = open_nifti(path)
            return file.scaled(), nifti_geometry(file, path, unit)
        geometry = self.geometry(path, spacing, unit, channels)
        found = None
        if is_large(math.prod(geometry.shape)):
            if is_nrrd(path):
                found = stored_nrrd(path, geometry.dim)
            elif path.name.lower().endswith(META):
                found = stored_meta(path)
        if found is None or not set(geometry.shape) <= set(found[0].shape):
            return None
        return as_channels(found[0].open(), found[1], geometry.dim), geometry

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
            quiet()
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise _unreadable(path, error) from None
        return _placed(reader, path, unit)

    def is_picture(self, path: Path) -> bool:
        return is_nifti(path) and int(read_nifti_header(path).header["datatype"]) in (
            COLORS
        )

    def scaling(self, path: Path) -> str:
        if not is_nifti(path):
            return ""
        header = read_nifti_header(path).header
        slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
        if not np.isfinite(slope) or slope == 0 or (slope, inter) == (1, 0):
            return ""
        return (
            f"Its header scales what is stored (scl_slope {slope:g}, scl_inter "
            f"{inter:g}), and the values that were meant are lost in rounding. Save "
            "whole numbers of an integer type, without a scale."
        )

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        write_array(path, as_storable(labels, LABEL_KINDS, path), geometry)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        write_array(path, np.asarray(array, dtype=np.float32), geometry)


def is_nifti(path: Path) -> bool:
    """Return whether a file's name says NIfTI."""
    return path.name.lower().endswith((".nii", ".nii.gz", *PAIRS))


def is_nrrd(path: Path) -> bool:
    """Return whether a file's name says NRRD."""
    return path.name.lower().endswith(NRRD)


def _placed(source: Any, path: Path, unit: str | None) -> Geometry:
    """Return the geometry of what ITK read, completed by what it leaves aside."""
    geometry = itk_geometry(source)
    if is_nrrd(path):
        header = read_nrrd_header(path)
        limits = edges_of_limits(header, geometry.dim)
        if limits is not None:
            spacing, direction = unflipped(limits[0], np.eye(geometry.dim))
            geometry = replace(
                geometry,
                spacing=tuple(spacing[::-1].tolist()),
                origin=tuple(limits[1]),
                direction=tuple(direction.ravel().tolist()),
            )
        elif unsaid_edges(header, geometry.dim):
            geometry = with_remarks(geometry, notes=[NO_EDGE])
        fields = geometry_fields(header, geometry.dim)
        geometry = replace(geometry, oriented=nrrd_says_orientation(header))
        word = unit_word(header, geometry.dim, path)
        return in_wanted(with_fields(geometry, "nrrd", fields), word, unit)
    if path.name.lower().endswith(META):
        meta = read_meta_fields(path)
        geometry = replace(geometry, oriented=meta_says_orientation(meta))
        geometry = with_remarks(geometry, *misnamed_axes(meta))
        if no_meta_edges(meta):
            geometry = with_remarks(geometry, notes=[NO_EDGE])
        return in_wanted(geometry, meta.get("DistanceUnits"), unit)
    return in_wanted(replace(geometry, oriented=False), None, unit)  # GIPL


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
    volume = scalar or geometry.dim == 3
    filed = as_filed(geometry)
    with atomically(path) as temporary:
        if is_nifti(path):
            fields = fields_of(geometry, "nifti") or micrometer_fields(geometry)
            if fields is not None and volume:
                write_nifti(temporary, array, fields)
            else:
                _write(temporary, array, geometry)
            return
        nrrd = fields_of(geometry, "nrrd") if is_nrrd(path) and scalar else None
        if nrrd is not None:
            write_nrrd(temporary, array, nrrd)
            return
        _write(temporary, array, filed)
        if filed.unit in ("mm", "px"):
            return
        if is_nrrd(path):
            write_nrrd_unit(temporary, filed.unit, geometry.dim)
        elif path.name.lower().endswith(META):
            write_meta_unit(temporary, filed.unit)


def _read(path: Path) -> Any:
    import SimpleITK

    quiet()
    must_have_voxels(path)
    must_be_whole(path)
    try:
        with _text if is_nrrd(path) and is_text(read_nrrd_header(path)) else _free:
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
