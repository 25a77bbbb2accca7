"""Headers of DICOM files: which planes there are, and of which series they are.

Words are those of the standard (DICOM PS3.3): a series has files, a file has one frame
or many, a frame has a position and an orientation in the patient (LPS, millimeters).
"""

from __future__ import annotations

import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from autoseg.dicom.needed import need_pydicom
from autoseg.dicom.planes import Plane, planes_in, to_number, to_text
from autoseg.errors import FormatError, printable, some_of
from autoseg.spec.foreign.archive import Archive

ENDINGS = (".dcm", ".dicom", ".ima")
MARK = (128, b"DICM")  # where a DICOM file says that it is one
FIRST_GROUPS = (b"\x08\x00", b"\x02\x00")  # of old files, which have no mark
MOST_FILE = 16 * 2**30  # bytes of a file in a zip
LOOKED_AT = 8  # files of a folder, to tell whether it is DICOM

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
HEAD = 4096  # bytes of a file that say what it is
STORED = "1.2.840.10008.5.1.4.1.1."
IMAGES = tuple(  # classes whose files have voxels, or are cut off
    STORED + kind
    for kind in (
        *("1", "1.1", "1.2", "2", "2.1", "4", "4.1", "6.1", "7", "12.1", "20"),
        *("128", "130"),
    )
)
NO_DICOM = "is cut off, or no DICOM as it says. Get it again, or take it away."
NO_IMAGES = ("SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG", "DOC")

TAGS = (  # all that headers are asked for
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"),
    *("SeriesNumber", "SeriesDescription", "ProtocolName", "Modality", "ImageType"),
    *("FrameOfReferenceUID", "InstanceNumber", "NumberOfFrames", "Rows", "Columns"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"),
    *("BitsAllocated", "BitsStored", "PatientID", "StudyDate", "StudyDescription"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("ImagerPixelSpacing", "NominalScannedPixelSpacing", "SliceThickness"),
    *("SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept", "RescaleType"),
    *("Units", "ModalityLUTSequence", "AcquisitionNumber", "TriggerTime"),
    *("TemporalPositionIdentifier", "EchoNumbers", "EchoTime", "DiffusionBValue"),
    *("AcquisitionTime", "InversionTime", "DetectorInformationSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ConcatenationUID", "InConcatenationNumber", "InConcatenationTotalNumber"),
    "NumberOfSlices",
)


@dataclass(frozen=True, kw_only=True)
class Header:
    """What one file says, with its frames.

    Parameters
    ----------
    name : str
        The file.
    planes : tuple of Plane
        Its frames; none of what is no image.
    shape : tuple of int
        Rows and columns.
    samples : int
        Numbers of a pixel: 3 for colors.
    inverted : bool
        Whether small numbers are bright, and mean nothing but that.
    sop_class, study, series, frame_of_reference : str
        UIDs; empty if they are not there.
    number, description, modality, patient : str
        What the series and the patient are called.
    localizer : bool
        Whether it is one, by its kind of image.
    whole : str
        UID of the concatenation that the file is a part of; empty if it is none.
    part, parts : int
        Which part it is, from 1, and how many there are; 0 if it does not say.
    slices : int
        How many slices there are in an image of its series; 0 if it does not say.
    """

    name: str
    planes: tuple[Plane, ...]
    shape: tuple[int, int]
    samples: int
    inverted: bool
    sop_class: str
    study: str
    series: str
    number: str
    description: str
    modality: str
    frame_of_reference: str
    patient: str
    localizer: bool
    whole: str = ""
    part: int = 0
    parts: int = 0
    slices: int = 0


def is_dicom_file(path: Path) -> bool:
    """Return whether a file is DICOM, by its mark or by its ending."""
    if path.name.upper() == "DICOMDIR":
        return False
    if path.name.lower().endswith(ENDINGS):
        return True
    try:
        with path.open("rb") as file:
            file.seek(MARK[0])
            return file.read(len(MARK[1])) == MARK[1]
    except OSError:
        return False


def is_dicom(path: Path) -> bool:
    """Return whether a file, a folder or a zip has DICOM files, by its first ones."""
    if path.is_dir():
        seen = islice(filter(_visible, _files(path)), LOOKED_AT)
        return any(map(is_dicom_file, seen))
    if path.suffix.lower() != ".zip" or not path.is_file():
        return path.is_file() and is_dicom_file(path)
    try:
        with Archive(path, FormatError, "study") as archive:
            names = [n for n in archive.names if _visible(Path(n))][:LOOKED_AT]
            return any(
                name.lower().endswith(ENDINGS)
                or archive.read(name, MOST_FILE)[MARK[0] : MARK[0] + 4] == MARK[1]
                for name in names
            )
    except FormatError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below, one after the other."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(place) / name for name in sorted(names))


def _visible(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.upper() != "DICOMDIR"


def is_structure_set(path: Path) -> bool:
    """Return whether a file says in its first bytes that it is a structure set."""
    if not path.is_file() or not is_dicom_file(path):
        return False
    with path.open("rb") as file:
        head = file.read(HEAD)
    return re.search(re.escape(STRUCTURES.encode()) + rb"(?![.\d])", head) is not None


def read_headers(archive: Archive, names: list[str] | None = None) -> Iterator[Header]:
    """Yield the header of each DICOM file; what does not say it is one is passed by.

    Parameters
    ----------
    archive : Archive
        A folder or a zip.
    names : list of str, optional
        Only these files.

    Raises
    ------
    FormatError
        If one is damaged: without it, a series might look whole.
    """
    for name in archive.names if names is None else names:
        if any(p.startswith(".") for p in name.split("/")) or "DICOMDIR" in name:
            continue
        if archive.is_zip or is_dicom_file(archive.path / name):
            found = open_file(archive, name, header=True)
            if found is not None:
                yield _sound_header(found, name, archive)
            elif not archive.is_zip or name.lower().endswith(ENDINGS):
                raise FormatError(f"{archive.where(name)} {NO_DICOM}")


def open_file(
    archive: Archive, name: str, header: bool = False, voxels: bool = True
) -> Any:
    """Return a file's data set; None of what is no DICOM.

    Parameters
    ----------
    archive : Archive
        Where it is.
    name : str
        Which file.
    header : bool
        Only what is in `TAGS`.
    voxels : bool
        False: all but the voxels.

    Raises
    ------
    FormatError
        If it is damaged.
    """
    where = archive.where(name)
    pydicom = need_pydicom(where)
    source: Any = archive.path / name
    if archive.is_zip:
        source = io.BytesIO(archive.read(name, MOST_FILE))
    start = _start(source)
    if start[MARK[0] :] != MARK[1] and start[:2] not in FIRST_GROUPS:
        return None
    asked: dict[str, Any] = {"force": True}
    if header or not voxels:
        asked["stop_before_pixels"] = True
    if header:
        asked["specific_tags"] = list(TAGS)
    try:
        found = pydicom.dcmread(source, **asked)
        return found if found.get("SOPClassUID") else None
    except pydicom.errors.InvalidDicomError:
        return None
    except Exception as error:  # whatever pydicom raises on a damaged file
        raise FormatError(
            f"{where} is damaged ({printable(str(error))[:200]}). Get it again."
        ) from None


def _start(source: Any) -> bytes:
    """Return the bytes of a file to the end of its mark."""
    length = MARK[0] + len(MARK[1])
    if isinstance(source, io.BytesIO):
        return source.getvalue()[:length]
    with open(source, "rb") as file:
        return file.read(length)


def _sound_header(found: Any, name: str, archive: Archive) -> Header:
    """Return a header; raise FormatError if what it says cannot be."""
    where = archive.where(name)
    try:
        size = archive.size_of(name)
        if int(found.get("NumberOfFrames") or 1) > size:
            raise ValueError(f"{found.NumberOfFrames} frames in {size} bytes")
        return _header(found, name, where)
    except FormatError:
        raise
    except Exception as error:  # pydicom reads a value when it is asked for
        raise FormatError(
            f"{where} is damaged ({printable(str(error))[:200]}). Get it again."
        ) from None


def _header(found: Any, name: str, where: str) -> Header:
    modality = str(found.get("Modality") or "")
    rows, columns = int(found.get("Rows") or 0), int(found.get("Columns") or 0)
    pictured = rows and columns and modality not in NO_IMAGES
    meta = getattr(found, "file_meta", {}).get("MediaStorageSOPClassUID")
    if not (rows and columns) and {str(found.SOPClassUID), str(meta)} & {*IMAGES}:
        raise FormatError(f"{where} {NO_DICOM}")
    kinds = [str(word).upper() for word in found.get("ImageType") or ()]
    return Header(
        name=name,
        planes=tuple(planes_in(found, name)) if pictured else (),
        shape=(rows, columns),
        samples=int(found.get("SamplesPerPixel") or 1),
        inverted=is_inverted(found),
        sop_class=str(found.SOPClassUID),
        study=str(found.get("StudyInstanceUID") or ""),
        series=str(found.get("SeriesInstanceUID") or ""),
        number=to_text(found.get("SeriesNumber")),
        description=to_text(
            found.get("SeriesDescription") or found.get("ProtocolName")
        ),
        modality=modality,
        frame_of_reference=str(found.get("FrameOfReferenceUID") or ""),
        patient=to_text(found.get("PatientID")),
        localizer="LOCALIZER" in kinds or "SCOUT" in kinds,
        whole=str(found.get("ConcatenationUID") or ""),
        part=int(to_number(found.get("InConcatenationNumber")) or 0),
        parts=int(to_number(found.get("InConcatenationTotalNumber")) or 0),
        slices=int(to_number(found.get("NumberOfSlices")) or 0),
    )


def is_inverted(found: Any) -> bool:
    """Return whether MONOCHROME1 turns the values, and not their picture alone.

    Hounsfield units, becquerels and other values with a unit are what they are.
    """
    if found.get("PhotometricInterpretation") != "MONOCHROME1":
        return False
    unit = str(found.get("RescaleType") or "US").upper()
    modality = str(found.get("Modality") or "")
    return modality not in ("CT", "PT", "NM") and unit in ("US", "UNSPECIFIED")


def missing_part(headers: Iterable[Header]) -> str:
    """Return which file of a concatenation is not there; empty if all are.

    One image in several files, each of which says which part it is (PS3.3, C.7.6.16).

    Parameters
    ----------
    headers : iterable of Header
        Of one series.
    """
    wholes: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        if header.whole:
            wholes[header.whole].append(header)
    for parts in wholes.values():
        there = {header.part for header in parts}
        count = max(max(header.parts, header.part) for header in parts)
        missing = sorted(set(range(1, count + 1)) - there)
        if missing:
            here = some_of([header.name for header in parts])
            return (
                f"is an image in {count} files (a concatenation), of which number "
                f"{some_of(missing)} is not there, beside {here}"
            )
    return ""
