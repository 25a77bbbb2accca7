"""Label maps and landmarks in DICOM structure sets (RTSTRUCT), written by pydicom."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.dicom.contours import rings_of
from autoseg.dicom.headers import STRUCTURES
from autoseg.dicom.made import (
    LONG,
    SERIES_NUMBER,
    SHORT,
    Maker,
    Segment,
    as_planes,
    sources_of,
)
from autoseg.dicom.needed import need_pydicom
from autoseg.dicom.planes import Plane
from autoseg.dicom.series import Stack, axes_of
from autoseg.dicom.voxels import find_stack
from autoseg.errors import FormatError
from autoseg.spec.foreign.looks import Code
from autoseg.spec.foreign.place import place_of

Array = NDArray[Any]

CLOSED, POINT = "CLOSED_PLANAR", "POINT"
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
COPIED = (  # of patient and study
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "StudyDescription"),
)
OPTIONAL = ("PatientAge", "StudyDescription")


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """A landmark that was looked for.

    Parameters
    ----------
    segment : Segment
        Its name, color and code.
    place : tuple of float or None
        x, y and z in the patient, millimeters, LPS; None: it was not found.
    note : str
        What else is known of it.
    """

    segment: Segment
    place: tuple[float, float, float] | None
    note: str = ""


def write_structures(
    path: Path, labels: Array, source: Path, segments: Sequence[Segment], maker: Maker
) -> None:
    """Write a label map as contours in a DICOM structure set, atomically.

    Parameters
    ----------
    path, labels, source, segments, maker
        See `write_segmentation`.

    Raises
    ------
    FormatError
        If the series does not say where in the patient it is.
    """
    pydicom = need_pydicom(source)
    stack = _placed(source, "contours", "Write --output-type nifti")
    planes = as_planes(labels, stack)
    ds, files, order = _begun(pydicom, source, stack, maker)
    for segment in segments:
        rings = [
            _contour(
                pydicom, _in_patient(ring, stack.planes[z]), stack.planes[z], files
            )
            for z in order
            for ring in rings_of(planes[z] == segment.value)
        ]
        _add_region(pydicom, ds, segment, rings)
    with atomically(path) as temporary:
        ds.save_as(temporary, enforce_file_format=True)


def write_landmarks(
    path: Path, landmarks: Sequence[Landmark], source: Path, maker: Maker
) -> None:
    """Write landmarks as regions of one POINT each, atomically.

    Parameters
    ----------
    path : Path
        The file.
    landmarks : sequence of Landmark
        What was not found becomes a region without a contour.
    source : Path
        The series that they were found in, with its part.
    maker : Maker
        What found them.

    Raises
    ------
    FormatError
        If the series does not say where in the patient it is.
    """
    pydicom = need_pydicom(source)
    stack = _placed(source, "points", "The .json has them; leave --output-type out")
    ds, files, _ = _begun(pydicom, source, stack, maker)
    for landmark in landmarks:
        points = []
        if landmark.place is not None:
            place = np.asarray([landmark.place])
            plane = _nearest(stack, place[0])
            points = [_contour(pydicom, place, plane, files, POINT)]
        _add_region(pydicom, ds, landmark.segment, points, landmark.note)
    with atomically(path) as temporary:
        ds.save_as(temporary, enforce_file_format=True)


def _placed(source: Path, what: str, instead: str) -> Stack:
    """Return a series that says where it is, or raise FormatError."""
    stack = find_stack(source)
    if not stack.placed:
        raise FormatError(
            f"{place_of(source)} does not say where it lies in the patient, so there "
            f"is no place for {what}. {instead}."
        )
    return stack


def _begun(
    pydicom: Any, source: Path, stack: Stack, maker: Maker
) -> tuple[Any, list[Any], list[int]]:
    """Return a set without regions, and files and planes of its series."""
    files, order = sources_of(source, stack)
    ds = _structure_set(pydicom, files[0], stack, maker)
    ds.ReferencedFrameOfReferenceSequence = [_references(pydicom, stack, files, order)]
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    ds.RTROIObservationsSequence = []
    return ds, files, order


def _nearest(stack: Stack, place: Array) -> Plane:
    """Return the plane that a point lies nearest to, along the normal."""
    normal = np.cross(*axes_of(stack.planes[0]))
    return min(
        stack.planes,
        key=lambda plane: abs(np.dot(place - np.asarray(plane.position), normal)),
    )


def _add_region(
    pydicom: Any, ds: Any, segment: Segment, contours: list[Any], note: str = ""
) -> None:
    number = len(ds.StructureSetROISequence) + 1
    region, drawn, seen = (pydicom.Dataset() for _ in range(3))
    region.ROINumber, region.ROIName = number, segment.name[:LONG]
    region.ReferencedFrameOfReferenceUID = ds.FrameOfReferenceUID
    region.ROIGenerationAlgorithm = "AUTOMATIC"
    if note:
        region.ROIDescription = note
    ds.StructureSetROISequence.append(region)
    drawn.ReferencedROINumber = number
    drawn.ROIDisplayColor = list(segment.look.color)
    drawn.ContourSequence = contours
    ds.ROIContourSequence.append(drawn)
    seen.ObservationNumber = seen.ReferencedROINumber = number
    seen.RTROIInterpretedType, seen.ROIInterpreter = "", ""
    if segment.look.kind is not None:
        seen.RTROIIdentificationCodeSequence = [_code(pydicom, segment.look.kind)]
    ds.RTROIObservationsSequence.append(seen)


def _code(pydicom: Any, code: Code) -> Any:
    ds = pydicom.Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator = code[1][:SHORT], code[0][:SHORT]
    ds.CodeMeaning = code[2][:LONG]
    return ds


def _structure_set(pydicom: Any, source: Any, stack: Stack, maker: Maker) -> Any:
    """Return a structure set without structures."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    ds = pydicom.Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = STRUCTURES, generate_uid()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    for key in COPIED:
        if key in source:
            setattr(ds, key, source.get(key))
        elif key not in OPTIONAL:
            setattr(ds, key, "")
    ds.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names of classes are any
    now = datetime.datetime.now()
    ds.Modality, ds.SeriesInstanceUID = "RTSTRUCT", generate_uid()
    ds.SeriesNumber, ds.InstanceNumber = SERIES_NUMBER + 1, 1
    ds.SeriesDescription = f"{maker.algorithm[:53]} RTSTRUCT"
    ds.OperatorsName = ""
    ds.Manufacturer = maker.manufacturer[:LONG]
    ds.ManufacturerModelName = maker.model[:LONG]
    ds.DeviceSerialNumber = maker.serial[:LONG]
    ds.SoftwareVersions = maker.version[:LONG]
    ds.StructureSetLabel = "AUTOSEG"
    ds.StructureSetName = maker.algorithm[:LONG]
    ds.StructureSetDate = ds.InstanceCreationDate = now.strftime("%Y%m%d")
    ds.StructureSetTime = ds.InstanceCreationTime = now.strftime("%H%M%S")
    ds.FrameOfReferenceUID = stack.header.frame_of_reference
    ds.PositionReferenceIndicator = ""
    ds.ApprovalStatus = "UNAPPROVED"
    return ds


def _references(
    pydicom: Any, stack: Stack, files: Sequence[Any], order: Sequence[int]
) -> Any:
    frame, study, series = (pydicom.Dataset() for _ in range(3))
    series.SeriesInstanceUID = stack.header.series
    series.ContourImageSequence = [
        _image(pydicom, stack.planes[z], files) for z in order
    ]
    study.ReferencedSOPClassUID = STUDY_CLASS
    study.ReferencedSOPInstanceUID = stack.header.study
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = stack.header.frame_of_reference
    frame.RTReferencedStudySequence = [study]
    return frame


def _image(pydicom: Any, plane: Plane, files: Sequence[Any]) -> Any:
    ds = pydicom.Dataset()
    ds.ReferencedSOPClassUID = files[0].SOPClassUID
    ds.ReferencedSOPInstanceUID = plane.uid
    if int(files[0].get("NumberOfFrames") or 1) > 1:
        ds.ReferencedFrameNumber = plane.frame + 1
    return ds


def _in_patient(ring: Array, plane: Plane) -> Array:
    """Return where points (row, column) of a plane are: (N, 3), millimeters."""
    row, column = axes_of(plane)
    down, across = plane.spacing or (1.0, 1.0)
    return np.asarray(
        np.asarray(plane.position)
        + ring[:, :1] * down * column
        + ring[:, 1:] * across * row
    )


def _contour(
    pydicom: Any,
    points: Array,
    plane: Plane,
    files: Sequence[Any],
    kind: str = CLOSED,
) -> Any:
    from pydicom.valuerep import format_number_as_ds

    ds = pydicom.Dataset()
    ds.ContourImageSequence = [_image(pydicom, plane, files)]
    ds.ContourGeometricType = kind
    ds.NumberOfContourPoints = len(points)
    ds.ContourData = [format_number_as_ds(float(value)) for value in points.ravel()]
    return ds
