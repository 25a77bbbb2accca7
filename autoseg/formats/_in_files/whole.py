"""Whether all voxels of MetaImage and NRRD files are there, before ITK reads them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from autoseg.errors import FormatError, amount, some_of
from autoseg.formats._in_files.raw import slices_of_meta, stored_meta, stored_nrrd
from autoseg.formats._in_files.stored import RAW
from autoseg.formats._nrrd import ENDINGS, read_nrrd_header
from autoseg.spec.foreign.behind import META, voxels_behind


def must_have_voxels(path: Path) -> None:
    """Refuse a header whose voxels are in other files that are not there, or cut off.

    Of slices that a list lacks, ITK gives whatever the memory held before.
    """
    files = voxels_behind(path)
    count, size = len(files), 0
    if path.name.lower().endswith(META):
        with suppress(KeyError, ValueError, OSError):  # ITK says what is wrong
            files, count, size = slices_of_meta(path) or (files, count, size)
    missing = [str(voxels) for voxels in files[:count] if not voxels.exists()]
    if missing and path.exists():
        is_, both = ("is", "both") if len(missing) == 1 else ("are", "all")
        raise FormatError(
            f"{path} is the header of {some_of(missing)}, which {is_} not there. Copy "
            f"{both}, and keep their names."
        )
    if files and len(files) < count:
        raise FormatError(
            f"{path} names {amount(len(files), 'file')} for {count} slices. Name one "
            "for each."
        )
    short = [str(one) for one in files[:count] if size and one.stat().st_size < size]
    if short:
        raise FormatError(
            f"{some_of(short)}: cut off, a slice has {size} bytes. Copy it again."
        )


def must_be_whole(path: Path) -> None:
    """Refuse what was cut off, of which ITK says that there is no such file."""
    stored = None
    with suppress(KeyError, ValueError, IndexError, OSError):  # ITK says what is wrong
        if path.name.lower().endswith(ENDINGS):
            found = stored_nrrd(path, len(read_nrrd_header(path)["sizes"].split()))
        else:
            found = stored_meta(path) if path.name.lower().endswith(META) else None
        stored = None if found is None or found[0].packing != RAW else found[0]
    if stored is None:
        return
    there, needed = stored.path.stat().st_size, stored.offset + stored.nbytes
    if there < needed:
        raise FormatError(
            f"{stored.path} is cut off: {there} of {needed} bytes are there. "
            "Copy it again."
        )
