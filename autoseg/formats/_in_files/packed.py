"""Unpack what Deflate has packed, and no more than is wanted."""

from __future__ import annotations

import errno
import zlib
from pathlib import Path

from autoseg.errors import FormatError
from autoseg.machine import GIGABYTE, free_memory

GZIP = zlib.MAX_WBITS | 16
MOST_PACKED = 1032  # bytes that one byte of Deflate's can stand for
BEHIND = 2**24  # bytes behind what is wanted that are unpacked to look at the checksum
LARGE = 2**31  # bytes; up to here nobody asks whether there is memory


def beginning(data: bytes, size: int, path: Path) -> bytes:
    """Return the first bytes of what is packed, or fewer if it is shorter.

    Parameters
    ----------
    data : bytes
        A gzip file.
    size : int
        How many.
    path : Path
        The file, for the message.

    Raises
    ------
    FormatError
        If it is damaged.
    """
    try:
        return zlib.decompressobj(GZIP).decompress(data, size)
    except zlib.error as error:
        raise _damaged(path, str(error)) from None


def unpacked(data: bytes, wanted: int, path: Path) -> bytes:
    """Return what is packed, to the end of the file, checksums looked at.

    Parameters
    ----------
    data : bytes
        A gzip file, of one stream or several.
    wanted : int
        How many bytes the file's own header promises.
    path : Path
        The file, for messages.

    Returns
    -------
    bytes
        As many as are there; a few more than are promised are taken, too.

    Raises
    ------
    FormatError
        If the file is damaged or cut off, or if it would unpack to far more than it
        promises: memory for that is never taken.
    OSError
        If what it promises does not fit into memory.
    """
    must_be_possible(len(data), wanted, path)
    _must_fit(wanted, path)
    room, parts = wanted + BEHIND, []
    rest = data
    while rest:
        stream = zlib.decompressobj(GZIP)
        try:
            parts.append(stream.decompress(rest, room))
        except zlib.error as error:
            raise _damaged(path, str(error)) from None
        room -= len(parts[-1])
        if stream.eof:  # zeros at the end mean nothing
            rest = stream.unused_data.lstrip(b"\0")
        elif room <= 0:
            raise too_much(path, wanted)
        else:
            raise _damaged(path, f"it is cut off after {len(data)} bytes")
        if rest and room <= 0:
            room = 1  # one more stream may be empty
    return parts[0] if len(parts) == 1 else b"".join(parts)


def must_be_possible(packed: int, wanted: int, path: Path) -> None:
    """Raise FormatError where what a header promises cannot be in a file.

    Parameters
    ----------
    packed : int
        Bytes of the file.
    wanted : int
        Bytes that it promises, unpacked.
    path : Path
        The file.
    """
    if wanted > MOST_PACKED * packed + BEHIND:
        raise FormatError(
            f"{path} promises {wanted} bytes, and {packed} packed ones cannot hold "
            "them: it is cut off, or its header is damaged. Copy it again."
        )


def too_much(path: Path, wanted: int) -> FormatError:
    """Return the error of a file that unpacks to far more than it promises."""
    return FormatError(
        f"{path} unpacks to over {BEHIND / 2**20:g} MiB more than the {wanted} bytes "
        "that its header promises. Its header or its voxels are damaged; get or write "
        "it again."
    )


def _must_fit(wanted: int, path: Path) -> None:
    """Raise OSError where so many bytes are more than the memory that is free."""
    if wanted > LARGE and wanted > (free := free_memory()):
        raise OSError(
            errno.ENOMEM,
            f"its voxels take {wanted / GIGABYTE:.1f} GB of memory, and "
            f"{free / GIGABYTE:.1f} GB are free",
            str(path),
        )


def _damaged(path: Path, reason: str) -> FormatError:
    return FormatError(f"{path} is damaged ({reason}). Copy it again.")
