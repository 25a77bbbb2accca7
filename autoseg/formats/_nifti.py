"""NIfTI-1 and NIfTI-2 files, byte by byte.

ITK and nibabel read a file that was cut off without a word, and none of them writes the
geometry of a header back to the bit. Here every byte is accounted for (and, in a .gz,
checked against its checksum), and a header's fields of geometry are kept as they are.

The format: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and nifti2.h.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._arrays import write_voxels
from autoseg.formats._in_files.nifti_layout import LAYOUTS, MAGIC, PAIR
from autoseg.formats._in_files.packed import beginning, unpacked
from autoseg.formats._in_files.pairs import as_nifti, is_analyze
from autoseg.formats._in_files.stored import RAW, ZLIB, Stored
from autoseg.geometry.mapped import is_mapped
from autoseg.spec.arrays.windowed import windowed
from autoseg.spec.foreign.behind import image_behind, is_pair

Array = NDArray[Any]

KINDS = {  # code of a number type in the header
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
COLORS = {128: 3, 2304: 4}  # RGB and RGBA, one byte each
COMPLEX = (32, 1792, 2048)
GEOMETRY = ("qform_code", "sform_code", "quatern", "qoffset", "srow", "xyzt_units")
MOST_VOXELS = 2**48
COMPRESSION = 5  # 6 takes half as long again, for a percent


@dataclass(frozen=True)
class NiftiFile:
    """A NIfTI file in memory.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        As stored, without slope and intercept; slowest axis first.
    header : numpy record
        The header's fields, in this machine's byte order.
    data : bytes
        The whole file, uncompressed.
    """

    array: Array
    header: Any
    data: bytes

    def scaled(self) -> Array:
        """Return the array with slope and intercept applied as ITK does.

        A slope of 0, and what is not finite, counts as not given. Integers become
        float32, by way of float64.
        """
        slope = float(self.header["scl_slope"])
        inter = float(self.header["scl_inter"])
        slope = slope if math.isfinite(slope) and slope != 0 else 1.0
        inter = inter if math.isfinite(inter) else 0.0
        if slope == 1 and inter == 0:
            return self.array
        kind = np.float64 if self.array.dtype == np.float64 else np.float32

        def scale(part: Array) -> Array:
            scaled: Array = (part.astype(np.float64) * slope + inter).astype(kind)
            return scaled

        if is_mapped(self.array):
            lazy: Any = windowed(self.array).each(scale, kind)
            found: Array = lazy  # it is used like one
            return found
        result = np.empty(self.array.shape, dtype=kind)
        for channel, out in zip(self.array, result, strict=True):
            out[...] = scale(channel)
        return result

    def geometry_fields(self) -> dict[str, Any] | None:
        """Return the header's fields of geometry as JSON, None if any is not finite."""
        fields = {name: self.header[name].tolist() for name in GEOMETRY}
        fields["pixdim"] = self.header["pixdim"][:4].tolist()
        fields["sizeof_hdr"] = int(self.header["sizeof_hdr"])
        numbers = np.hstack([np.ravel(value) for value in fields.values()])
        return fields if np.isfinite(numbers).all() else None


def read_nifti(path: Path) -> NiftiFile:
    """Read a .nii or .nii.gz file, or the pair of .hdr and .img, all of it.

    Parameters
    ----------
    path : Path
        The file, of a pair the header; what is compressed is seen in its first bytes.

    Returns
    -------
    NiftiFile
        The fourth axis, or the fifth if the fourth is 1, is the channel.

    Raises
    ------
    FormatError
        If the file is cut off, damaged, no NIfTI, or holds something else than an
        image of two or three axes with channels.
    """
    if is_pair(path):
        header = read_nifti_header(path).header
        stored = _stored(header, path)
        data = stored.path.read_bytes()
        if stored.packing == ZLIB:
            data = unpacked(data, stored.offset + stored.nbytes, stored.path)
    else:
        data = _uncompressed(path)
        header = _header(data, path)
        stored = _stored(header, path)
    needed = stored.offset + stored.nbytes
    if len(data) < needed:
        raise FormatError(
            f"{stored.path} is cut off: {len(data)} of {needed} bytes are there. "
            "Copy it again."
        )
    count = math.prod(stored.shape)
    array = np.frombuffer(data, stored.dtype, count, stored.offset)
    array = _as_channels(array.reshape(stored.shape), header)
    native = array.astype(stored.dtype.newbyteorder("="), copy=False)
    return NiftiFile(native, header, data)


def open_nifti(path: Path) -> NiftiFile:
    """Open a file that is larger than memory; nothing but its header is read.

    Parameters
    ----------
    path : Path
        The file. If it is compressed it is unpacked, into a file without a name.

    Returns
    -------
    NiftiFile
        With a memory map for its array, in the file's byte order, and no ``data``.

    Raises
    ------
    FormatError
        See `read_nifti`.
    """
    header = read_nifti_header(path).header
    array = _as_channels(_stored(header, path).open(), header)
    return NiftiFile(array, header, b"")


def _stored(header: Any, path: Path) -> Stored:
    """Return where a file has its voxels: (C, *S), or (*S, colors)."""
    channels, space, color = _sizes(header, path)
    order = ">" if header.dtype["dim"].base.byteorder == ">" else "<"
    pair = is_pair(path)
    voxels = image_behind(path) if pair else path
    if not voxels.is_file():
        raise FormatError(
            f"{path} is the header of {voxels}, which is not there. Copy both, and "
            "keep their names."
        )
    with voxels.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    start = int(header["vox_offset"])
    shape = (*space[::-1], color) if color > 1 else (channels, *space[::-1])
    return Stored(
        path=voxels,
        dtype=np.dtype(order + KINDS.get(int(header["datatype"]), "u1")),
        shape=shape,
        offset=start if pair else start or len(header.tobytes()) + 4,
        packing=ZLIB if packed else RAW,
    )


def _as_channels(array: Array, header: Any) -> Array:
    colored = int(header["datatype"]) in COLORS
    return np.moveaxis(array, -1, 0) if colored else array


def read_nifti_header(path: Path) -> NiftiFile:
    """Read the header of a file; its array has the right shape, and only zeros.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    NiftiFile
        With no ``data``; no more is decompressed than the header.

    Raises
    ------
    FormatError
        See `read_nifti`; that voxels are missing is not seen.
    """
    longest = max(LAYOUTS) + 4
    with path.open("rb") as file:
        data = file.read(longest)
        if data[:2] == b"\x1f\x8b":
            file.seek(0)
            try:
                data = gzip.GzipFile(fileobj=file).read(longest)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise FormatError(
                    f"{path} is damaged ({error}). Copy it again."
                ) from None
    header = _header(data, path)
    channels, space, color = _sizes(header, path)
    shape = (color if color > 1 else channels, *space[::-1])
    return NiftiFile(np.broadcast_to(np.uint8(0), shape), header, b"")


def _sizes(header: Any, path: Path) -> tuple[int, list[int], int]:
    """Return the number of channels, the size (x, y, z), and the colors of a voxel."""
    kind = int(header["datatype"])
    if kind in COMPLEX:
        raise FormatError(f"{path} holds complex numbers; save the magnitude.")
    if kind not in KINDS and kind not in COLORS:
        raise FormatError(f"{path} has data type {kind}, which is not supported.")
    axes = int(header["dim"][0])
    sizes = [int(n) for n in header["dim"][1 : axes + 1]]
    if not 1 < axes < 8 or min(sizes) < 1:
        raise FormatError(f"{path} has no voxels: its size is {sizes}.")
    if math.prod(sizes) > MOST_VOXELS:
        raise FormatError(
            f"{path} says that its size is {sizes}, which no file has. Its header is "
            "damaged; copy it again."
        )
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes.pop()
    color = COLORS.get(kind, 1)
    if sum(n > 1 for n in (*sizes[3:], color)) > 1:
        raise FormatError(
            f"{path} has size {sizes}; autoseg reads two or three axes and one more "
            "for channels. Save each time point as a file of its own."
        )
    return math.prod(sizes[3:]), sizes[:3], color


def write_nifti(path: Path, array: Array, fields: Mapping[str, Any]) -> None:
    """Write a NIfTI file with the geometry of another.

    Parameters
    ----------
    path : Path
        Where to write, not atomically; compressed if it ends in .gz.
    array : ndarray, shape S, or (C, *S) with len(S) = 3
        The voxels.
    fields : mapping
        `NiftiFile.geometry_fields` of the other file.
    """
    size = int(fields["sizeof_hdr"])
    header = np.zeros((), LAYOUTS[size])
    header["sizeof_hdr"] = size
    header["magic"] = MAGIC[size]
    header["dim"] = [array.ndim, *array.shape[::-1], *[1] * (7 - array.ndim)]
    code = next(k for k, kind in KINDS.items() if np.dtype(kind) == array.dtype)
    header["datatype"], header["bitpix"] = code, array.dtype.itemsize * 8
    header["pixdim"] = [*fields["pixdim"], 1, 1, 1, 1]
    header["scl_slope"] = 1
    header["vox_offset"] = size + 4
    for name in GEOMETRY:
        header[name] = fields[name]
    # Four bytes of zeros: no extensions follow.
    start = header.tobytes() + bytes(4)
    with open(path, "wb") as file:
        if path.name.lower().endswith(".gz"):
            # No name and no time, so that the same voxels give the same file.
            with gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed:
                packed.write(start)
                write_voxels(packed, array)
        else:
            file.write(start)
            write_voxels(file, array)


def _uncompressed(path: Path) -> bytes:
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    header = _header(beginning(data, max(LAYOUTS) + 4, path), path)
    stored = _stored(header, path)
    return unpacked(data, stored.offset + stored.nbytes, path)


def _header(data: bytes, path: Path) -> Any:
    pair = is_pair(path)
    marks = PAIR if pair else MAGIC
    for size, layout in LAYOUTS.items():
        if len(data) < (size if pair else size + 4):
            continue
        for kind in (layout, layout.newbyteorder("S")):  # S: swapped
            header = np.frombuffer(data, kind, 1)[0]
            right = header["magic"] == marks[size].rstrip(b"\0")
            if header["sizeof_hdr"] == size and right:
                return header
            if pair and is_analyze(data, kind):
                return as_nifti(data, kind, path)
    if pair:
        raise FormatError(
            f"{path} is no header of NIfTI or Analyze 7.5, whose voxels are in .img. "
            "Save the image as NIfTI, NRRD or TIFF."
        )
    raise FormatError(
        f"{path} is no NIfTI file, whatever its name says, or only the beginning of "
        "one. Get or write it again."
    )
