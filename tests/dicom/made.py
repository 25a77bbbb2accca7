"""DICOM series as scanners write them, made by pydicom: voxels and places are known."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SHAPE = (5, 7, 9)  # slices, rows, columns: no two are alike
SPACING = (2.5, 0.7, 0.9)
ORIGIN = (-12.5, 20.25, -100.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURN = np.deg2rad(20)
OBLIQUE = (np.cos(TURN), np.sin(TURN), 0.0, 0.0, 0.0, -1.0)


def stored(shape=SHAPE, seed=0):
    """Return stored numbers, no two slices alike."""
    return np.random.default_rng(seed).integers(0, 2000, shape).astype(np.uint16)


def normal_of(orientation):
    return np.cross(orientation[:3], orientation[3:])


def places(count, orientation=AXIAL, origin=ORIGIN, step=None):
    """Return the position of each slice, from below to above."""
    step = SPACING[0] * normal_of(orientation) if step is None else np.asarray(step)
    return [np.asarray(origin) + number * step for number in range(count)]


def header(study, series, **tags):
    """Return what all files of a series have."""
    ds = Dataset()
    ds.SOPClassUID = CT
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "P", "N", "", ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
    ds.StudyDate, ds.StudyTime, ds.StudyID = "20260101", "120000", "1"
    ds.AccessionNumber, ds.ReferringPhysicianName = "", ""
    ds.FrameOfReferenceUID = study[:60] + ".1"
    ds.PositionReferenceIndicator = ""
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "CT", 3, "thorax"
    ds.Manufacturer = "Maker"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing = list(SPACING[1:])
    ds.SliceThickness = 1.0  # not the distance of slices
    for key, value in tags.items():
        setattr(ds, key, value)
    return ds


def save(ds, path, syntax=ExplicitVRLittleEndian):
    ds.SOPInstanceUID = generate_uid()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def write_series(
    folder,
    array=None,
    *,
    study=None,
    series=None,
    orientation=AXIAL,
    positions=None,
    names="IM{:04d}.dcm",
    order=None,
    first=0,
    each=lambda number: {},
    **tags,
):
    """Write one file for each slice of stored numbers (Z, Y, X); return the array.

    ``order`` says which slice is instance 1, 2, ...; ``each`` gives further tags.
    """
    array = stored() if array is None else array
    study, series = study or generate_uid(), series or generate_uid()
    positions = positions or places(len(array), orientation)
    order = list(range(len(array))) if order is None else list(order)
    for instance, number in enumerate(order, 1):
        ds = header(study, series, **tags)
        ds.ImageOrientationPatient = [float(v) for v in orientation]
        ds.ImagePositionPatient = [float(v) for v in positions[number]]
        ds.InstanceNumber = instance
        ds.Rows, ds.Columns = array.shape[1:]
        ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
        for key, value in each(number).items():
            setattr(ds, key, value)
        ds.PixelData = array[number].tobytes()
        save(ds, folder / names.format(first + instance))
    return array


def write_enhanced(path, array, *, orientation=AXIAL, slopes=None, **tags):
    """Write one file with a frame for each slice; the scale is shared."""
    ds = header(generate_uid(), generate_uid(), SOPClassUID=ENHANCED_CT, **tags)
    ds.NumberOfFrames, ds.Rows, ds.Columns = len(array), *array.shape[1:]
    del ds.PixelSpacing
    ds.InstanceNumber = 1
    shared, turned, measures, scale = Dataset(), Dataset(), Dataset(), Dataset()
    turned.ImageOrientationPatient = [float(v) for v in orientation]
    measures.PixelSpacing = list(SPACING[1:])
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 1, -1024, "HU"
    shared.PlaneOrientationSequence = Sequence([turned])
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PixelValueTransformationSequence = Sequence([scale])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for place in places(len(array), orientation):
        frame, position = Dataset(), Dataset()
        position.ImagePositionPatient = [float(v) for v in place]
        frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    ds.PixelData = array.tobytes()
    save(ds, path)
