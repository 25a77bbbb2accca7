"""Planes: the frames of a file, with their places and what makes numbers values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from autoseg.errors import printable

APART = {  # what may tell two planes at one place apart, in the order of asking
    "acquisition": ("AcquisitionNumber", "FrameAcquisitionNumber"),
    "temporal position": ("TemporalPositionIdentifier", "TemporalPositionIndex"),
    "echo": ("EchoNumbers",),
    "echo time": ("EchoTime", "EffectiveEchoTime"),
    "b value": ("DiffusionBValue",),
    "kind of image": ("ImageType", "FrameType"),
    "inversion time": ("InversionTime",),
    "trigger time": ("TriggerTime", "NominalCardiacTriggerDelayTime"),
    "stack": ("StackID",),
    "acquisition time": ("AcquisitionTime", "FrameAcquisitionDateTime"),
}


DISTANCES = ("SpacingBetweenSlices", "SliceThickness")  # the latter only if they meet


@dataclass(frozen=True, kw_only=True)
class Plane:
    """One frame of a file.

    Parameters
    ----------
    name : str
        The file, below the folder or zip.
    frame : int
        Which frame of the file, from 0.
    uid : str
        SOP instance UID of the file.
    number : int
        Instance number of the file.
    position, orientation : tuple of float or None
        Of the first voxel, and of rows and columns, as DICOM has them.
    spacing : tuple of float or None
        Between rows and between columns.
    slope, intercept : float
        From stored numbers to values.
    digits : tuple of int
        How many the numbers of its position have after the point.
    distances : mapping of str to float
        By `DISTANCES`, how far slices are apart, as far as the file says; over 0.
    apart : mapping of str to str
        By the words of `APART`, what tells frames at one place apart.
    """

    name: str
    frame: int
    uid: str
    number: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    slope: float
    intercept: float
    digits: tuple[int, ...] = ()
    distances: Mapping[str, float] = field(default_factory=dict)
    apart: Mapping[str, str] = field(default_factory=dict)


def planes_in(found: Any, name: str) -> Iterator[Plane]:
    """Yield the frames of a data set.

    Parameters
    ----------
    found : pydicom.Dataset
        A file, or its header.
    name : str
        Of the file.
    """
    frames = int(found.get("NumberOfFrames") or 1)
    shared = _first(found.get("SharedFunctionalGroupsSequence"))
    each = list(found.get("PerFrameFunctionalGroupsSequence") or ())
    detector = _first(found.get("DetectorInformationSequence"))
    for number in range(frames):
        own = each[number] if number < len(each) else None
        groups = [group for group in (own, shared) if group is not None]
        written = _asked(groups, "PlanePositionSequence", "ImagePositionPatient")
        position = _numbers(written)
        if position is None and frames == 1:
            written = found.get("ImagePositionPatient")
            position = _numbers(written)
        orientation = _numbers(
            _asked(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
            or found.get("ImageOrientationPatient")
            or (detector.get("ImageOrientationPatient") if detector else None)
        )
        spacing = _numbers(
            _asked(groups, "PixelMeasuresSequence", "PixelSpacing")
            or found.get("PixelSpacing")
            or found.get("ImagerPixelSpacing")
            or found.get("NominalScannedPixelSpacing")
        )
        slope = _asked(groups, "PixelValueTransformationSequence", "RescaleSlope")
        intercept = _asked(
            groups, "PixelValueTransformationSequence", "RescaleIntercept"
        )
        yield Plane(
            name=name,
            frame=number,
            uid=str(found.get("SOPInstanceUID") or ""),
            number=int(to_number(found.get("InstanceNumber")) or 0),
            position=position if position and len(position) == 3 else None,
            orientation=orientation if orientation and len(orientation) == 6 else None,
            spacing=(spacing[0], spacing[1]) if spacing and len(spacing) > 1 else None,
            slope=_or(to_number(slope), _or(to_number(found.get("RescaleSlope")), 1.0)),
            intercept=_or(
                to_number(intercept), _or(to_number(found.get("RescaleIntercept")), 0.0)
            ),
            digits=tuple(_digits(part) for part in written) if position else (),
            distances=_distances(found, groups),
            apart=_told_apart(found, groups),
        )


def _digits(number: Any) -> int:
    """Return how many digits a number has after its point, as it is written."""
    try:
        exponent = Decimal(str(number).strip()).normalize().as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _distances(found: Any, groups: list[Any]) -> dict[str, float]:
    """Return what a frame says of the distance of slices."""
    said = {}
    for key in DISTANCES:
        value = to_number(_asked(groups, "PixelMeasuresSequence", key))
        value = abs(_or(value, _or(to_number(found.get(key)), 0.0)))
        if 0 < value < float("inf"):
            said[key] = value
    return said


def _told_apart(found: Any, groups: list[Any]) -> dict[str, str]:
    """Return what may tell frames at one place apart."""
    said = {}
    for word, keys in APART.items():
        for key in keys:
            value = found.get(key)
            for group in groups:
                for element in group:
                    inner = _first(element.value) if element.VR == "SQ" else None
                    if inner is not None and key in inner:
                        value = inner.get(key)
            if value is not None and value != "":
                said[word] = to_text(value)
                break
    return said


def _asked(groups: list[Any], sequence: str, key: str) -> Any:
    """Return a value of a functional group, that of the frame before the shared one."""
    for group in groups:
        inner = _first(group.get(sequence))
        if inner is not None and inner.get(key) is not None:
            return inner.get(key)
    return None


def _first(sequence: Any) -> Any:
    try:
        return sequence[0] if sequence else None
    except (TypeError, IndexError, KeyError):
        return None


def _numbers(value: Any) -> tuple[float, ...] | None:
    if value is None or value == "":
        return None
    try:
        return tuple(float(part) for part in value)
    except (TypeError, ValueError):
        return None


def to_number(value: Any) -> float | None:
    """Return a number of a header, None of what is none."""
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def to_text(value: Any) -> str:
    """Return a value of a header as a text that can be shown."""
    if value is None:
        return ""
    if not isinstance(value, (str, bytes)) and hasattr(value, "__iter__"):
        return "\\".join(str(part) for part in value)
    return printable(str(value)).strip()
