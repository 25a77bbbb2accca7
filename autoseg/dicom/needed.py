"""The libraries for DICOM, which are an extra, and what decoders are called."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from autoseg.errors import FormatError

DECODERS = {  # by a part of the transfer syntax's name
    "JPEG-LS": "pyjpegls",
    "JPEG 2000": "pylibjpeg pylibjpeg-openjpeg",
    "High-Throughput": "pylibjpeg pylibjpeg-openjpeg",
    "JPEG": "python-gdcm",
    "RLE": "pylibjpeg pylibjpeg-rle",
}


def need_pydicom(where: object) -> ModuleType:
    """Return pydicom; raise FormatError with what to install if it is missing."""
    try:
        import pydicom
    except ImportError:
        raise FormatError(
            f"{where} is DICOM, which needs pydicom and highdicom: pip install "
            '"autoseg[dicom]".'
        ) from None
    # Values that are too long for their kind are everyday's, and no reason for words.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    return pydicom


def need_highdicom(where: object) -> ModuleType:
    """Return highdicom; raise FormatError with what to install if it is missing."""
    need_pydicom(where)
    try:
        import highdicom
    except ImportError:
        raise FormatError(
            f'{where} is DICOM, which needs highdicom: pip install "autoseg[dicom]".'
        ) from None
    return highdicom


def no_decoder(where: object, syntax: Any, error: Exception) -> FormatError:
    """Return the error for voxels that nothing here can unpack.

    Parameters
    ----------
    where : path or str
        The file.
    syntax : pydicom.uid.UID
        Its transfer syntax.
    error : Exception
        What pydicom said.
    """
    name = getattr(syntax, "name", str(syntax))
    package = next((DECODERS[part] for part in DECODERS if part in name), None)
    if package is None:
        said = str(error).strip().splitlines()[0] if str(error).strip() else error
        return FormatError(
            f"{where} is compressed as {name} ({syntax}) and cannot be unpacked "
            f"({said}). Save it uncompressed."
        )
    return FormatError(
        f"{where} is compressed as {name} ({syntax}), and no decoder for it is "
        f"installed. pip install {package}, or save it uncompressed (dcmdjpeg, "
        "gdcmconv --raw)."
    )
