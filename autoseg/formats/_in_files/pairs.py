"""Headers of Analyze 7.5, which NIfTI replaced, as headers of NIfTI.

Both have 348 bytes. Analyze says sizes, type and spacing, and in a byte that programs
read in several ways how a slice lies; nothing says which side is left. The layout:
``dbh.h`` of the Mayo Clinic's Analyze 7.5. SPM keeps a scale where NIfTI has its slope.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats._in_files.nifti_layout import NIFTI1
from autoseg.spec.foreign.units import unit_of

WORD = slice(56, 60)  # bytes of the header: its unit of length
KINDS = (2, 4, 8, 16, 64)  # number types that Analyze has; colors come in planes there
CODES = {"mm": 2, "um": 3}
KEPT = ("sizeof_hdr", "dim", "datatype", "bitpix", "pixdim")


def is_analyze(data: bytes, layout: Any) -> bool:
    """Return whether bytes without NIfTI's mark are a header of Analyze."""
    if len(data) < NIFTI1.itemsize or layout.itemsize != NIFTI1.itemsize:
        return False
    header = np.frombuffer(data, layout, 1)[0]
    return bool(header["sizeof_hdr"] == NIFTI1.itemsize and not header["magic"])


def as_nifti(data: bytes, layout: Any, path: Path) -> Any:
    """Return a header of Analyze as one of NIfTI that says no orientation.

    Parameters
    ----------
    data : bytes
        The header.
    layout : dtype
        NIfTI-1's, in the file's byte order.
    path : Path
        For messages.

    Raises
    ------
    FormatError
        If voxels are of a type that NIfTI has otherwise, or has not.
    """
    old = np.frombuffer(data, layout, 1)[0]
    kind = int(old["datatype"])
    if kind not in KINDS:
        raise FormatError(
            f"{path} is a header of Analyze with data type {kind}, which is not "
            "supported. Save the image as NIfTI."
        )
    new = np.zeros(1, layout)[0]
    for name in KEPT:
        new[name] = old[name]
    new["pixdim"][0] = 1
    offset, scale = float(old["vox_offset"]), float(old["scl_slope"])
    new["vox_offset"] = abs(offset) if math.isfinite(offset) else 0
    new["scl_slope"] = scale if math.isfinite(scale) else 0
    word = data[WORD].split(b"\0")[0].decode("latin-1").strip()
    unit = unit_of(word)
    new["xyzt_units"] = CODES.get(unit.name, 0)
    new["pixdim"][1:4] *= unit.factor
    if not unit.known:
        new["descrip"] = word.encode("ascii", "replace")
    return new


def says_nothing(header: Any) -> bool:
    """Return whether a header was one of Analyze: it has no mark."""
    return not header["magic"]


def remarks_of(header: Any) -> list[str]:
    """Return what is odd about a header of Analyze."""
    found = []
    scale = float(header["scl_slope"])
    if scale not in (0, 1):
        found.append(
            f"its header of Analyze has {scale:g} where SPM keeps a scale, and its "
            "values are multiplied by it, as nibabel does; ITK takes them as stored"
        )
    if header["descrip"]:
        word = header["descrip"].decode()
        found.append(f"its unit {word!r} is not known; its numbers are taken as mm")
    return found
