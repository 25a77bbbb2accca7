"""Label maps as contours in a DICOM structure set (RTSTRUCT), written by pydicom."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
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

STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
COPIED = (  # of patient and study
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "StudyDescription"),
)
OPTIONAL = ("PatientAge", "StudyDescription")


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
    stack = find_stack(source)
    if not stack.placed:
        raise FormatError(
            f"{place_of(source)} does not say where it lies in the patient, so there "
            "is no place for contours. Write --output-type nifti."
        )
    planes = as_planes(labels, stack)
    files, order = sources_of(source, stack)
    ds = _structure_set(pydicom, files[0], stack, maker)
    ds.ReferencedFrameOfReferenceSequence = [_references(pydicom, stack, files, order)]
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    ds.RTROIObservationsSequence = []
    for number, segment in enumerate(segments, 1):
        rings = [
            _contour(pydicom, ring, stack.planes[z], files)
            for z in order
            for ring in rings_of(planes[z] == segment.value)
        ]
        _add_region(pydicom, ds, number, segment, rings)
    with atomically(path) as temporary:
        ds.save_as(temporary, enforce_file_format=True)


def _add_region(
    pydicom: Any, ds: Any, number: int, segment: Segment, rings: list[Any]
) -> None:
    region, drawn, seen = (pydicom.Dataset() for _ in range(3))
    region.ROINumber, region.ROIName = number, segment.name[:LONG]
    region.ReferencedFrameOfReferenceUID = ds.FrameOfReferenceUID
    region.ROIGenerationAlgorithm = "AUTOMATIC"
    ds.StructureSetROISequence.append(region)
    drawn.ReferencedROINumber = number
    drawn.ROIDisplayColor = list(segment.look.color)
    drawn.ContourSequence = rings
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


def _contour(pydicom: Any, ring: Array, plane: Plane, files: Sequence[Any]) -> Any:
    from pydicom.valuerep import format_number_as_ds

    row, column = axes_of(plane)
    down, across = plane.spacing or (1.0, 1.0)
    points = (
        np.asarray(plane.position)
        + ring[:, :1] * down * column
        + ring[:, 1:] * across * row
    )
    ds = pydicom.Dataset()
    ds.ContourImageSequence = [_image(pydicom, plane, files)]
    ds.ContourGeometricType = "CLOSED_PLANAR"
    ds.NumberOfContourPoints = len(points)
    ds.ContourData = [format_number_as_ds(float(value)) for value in points.ravel()]
    return ds
