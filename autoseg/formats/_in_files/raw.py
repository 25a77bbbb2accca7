"""Where MetaImage and NRRD files have their voxels.

The formats: https://itk.org/Wiki/ITK/MetaIO/Documentation and
https://teem.sourceforge.net/nrrd/format.html. What is rare in them (voxels in several
files, as text, behind lines that are skipped) is left to ITK.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.formats._in_files.stored import BZIP2, RAW, ZLIB, Stored
from autoseg.formats._metaimage import LAST, LONGEST_HEADER, read_meta_fields
from autoseg.formats._nrrd import channel_axis, read_nrrd_header
from autoseg.spec.foreign.behind import voxels_behind

Array = NDArray[Any]

META_KINDS = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
NRRD_KINDS = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i1": ("signed char", "int8", "int8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
NRRD_PACKINGS = {"raw": RAW, "gz": ZLIB, "gzip": ZLIB, "bz2": BZIP2, "bzip2": BZIP2}
TRUE = ("true", "1", "t")


def stored_meta(path: Path) -> tuple[Stored, int | None] | None:
    """Return where an MHA or MHD file has its voxels.

    Returns
    -------
    Stored
        Slowest axis first.
    int or None
        Which axis is the channel; None: all before the last three.

    None stands for both where only ITK knows.
    """
    fields = read_meta_fields(path)
    kind = META_KINDS.get(fields.get("ElementType", ""))
    name = fields.get(LAST, "")
    local = name.upper() in ("LOCAL", "LOCAL_IMAGE")
    voxels = path if local else path.parent / name
    plain = fields.get("BinaryData", "True").lower() in TRUE
    skipped = fields.get("HeaderSize", "0") not in ("0", "")
    if kind is None or not plain or skipped or not name or not voxels.is_file():
        return None
    if not local and ("%" in name or name.split()[0].upper() == "LIST"):
        return None
    big = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", ""))
    shape = tuple(int(word) for word in fields["DimSize"].split()[::-1])
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    packed = fields.get("CompressedData", "False").lower() in TRUE
    start = _end_of_meta(path) if local else 0
    stored = Stored(
        path=voxels,
        dtype=np.dtype((">" if big.lower() in TRUE else "<") + kind),
        shape=(*shape, channels) if channels > 1 else shape,
        offset=0 if packed else start,
        packing=ZLIB if packed else RAW,
        packed_offset=start,
    )
    return stored, len(shape) if channels > 1 else None


def slices_of_meta(path: Path) -> tuple[list[Path], int, int] | None:
    """Return the files of a MetaImage's slices, if each has one.

    Returns
    -------
    list of Path
        As they are named, whether they are there or not.
    int
        How many slices there are.
    int
        Bytes of one, 0 if they are packed.

    None stands for all where the voxels are in one file, or only ITK knows.
    """
    fields = read_meta_fields(path)
    words, kind = fields.get(LAST, "").split(), fields.get("ElementType", "")
    several = "%" in fields.get(LAST, "") or [w.upper() for w in words] == ["LIST"]
    if not several or kind not in META_KINDS:
        return None
    *plane, count = (int(word) for word in fields["DimSize"].split())
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    packed = fields.get("CompressedData", "False").lower() in TRUE
    size = math.prod(plane) * channels * np.dtype(META_KINDS[kind]).itemsize
    return voxels_behind(path), count, 0 if packed else size


def stored_nrrd(path: Path, dim: int) -> tuple[Stored, int | None] | None:
    """Return where a NRRD file has its voxels, as `stored_meta` does.

    Parameters
    ----------
    path : Path
        The file.
    dim : int
        Axes of space.
    """
    fields = read_nrrd_header(path)
    said = " ".join(fields.get("type", "").lower().split())
    kind = next((k for k, words in NRRD_KINDS.items() if said in words), None)
    packing = NRRD_PACKINGS.get(fields.get("encoding", "").lower())
    skips = ("line skip", "lineskip", "byte skip", "byteskip")
    if kind is None or packing is None or any(skip in fields for skip in skips):
        return None
    name = fields.get("data file", fields.get("datafile"))
    if name is not None and ("%" in name or name.split()[0].upper() == "LIST"):
        return None
    voxels = path if name is None else path.parent / name
    sizes = [int(word) for word in fields["sizes"].split()]
    channel = channel_axis(fields, dim) if len(sizes) == dim + 1 else None
    if not voxels.is_file() or (channel is None and len(sizes) != dim):
        return None
    start = _end_of_nrrd(path) if name is None else 0
    order = ">" if fields.get("endian", "little").lower() == "big" else "<"
    stored = Stored(
        path=voxels,
        dtype=np.dtype(order + kind),
        shape=tuple(sizes[::-1]),
        offset=start if packing == RAW else 0,
        packing=packing,
        packed_offset=start,
    )
    return stored, None if channel is None else len(sizes) - 1 - channel


def as_channels(array: Array, channel: int | None, dim: int) -> Array:
    """Return a view (C, *S)."""
    if channel is not None:
        return np.moveaxis(array, channel, 0)
    return array[None] if array.ndim == dim else array


def _end_of_meta(path: Path) -> int:
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    return head.index(b"\n", head.index(LAST.encode())) + 1


def _end_of_nrrd(path: Path) -> int:
    with path.open("rb") as file:
        while line := file.readline():
            if not line.strip(b"\r\n"):
                return file.tell()
    return 0
