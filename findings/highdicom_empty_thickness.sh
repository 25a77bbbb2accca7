#!/usr/bin/env bash
# highdicom 0.28.2: a segmentation of slices without a thickness is written, and its own reader refuses it
#
# Packages   highdicom==0.28.2, pydicom==3.0.2, numpy==2.4.6
# Seen       Three CT slices, 2 mm apart. SliceThickness is of type 2 in CT images: it is there, and may be empty.
#              SliceThickness 2.0    the segmentation is written, and segread(...).get_volume() has spacing (2, 1, 1)
#              SliceThickness empty  it is written without a word, with no SliceThickness; segread raises
#                                    AttributeError "Sequence does not have the required attributes for a Pixel
#                                    Measures Sequence."
# Good guess What a library writes without an error it reads again. Wrong where the source's thickness is empty: the
#            pixel measures are made of what the source has, and the reader asks for a thickness.
# Matters    Predictions of such series are archived as segmentations that a tool built on the same library cannot
#            open. Writing SliceThickness into the pixel measures (the distance of slices) before saving helps.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cd "$work"
venv/bin/python -I -W ignore - <<'EOF'
import numpy as np
import pydicom
import highdicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY, SERIES, FRAME = generate_uid(), generate_uid(), generate_uid()


def slice_of(number, thickness):
    """A CT slice of 4 x 4 zeros, 2 mm above the one before."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CT, generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = STUDY, SERIES, FRAME
    ds.PatientID = ds.PatientName = "P"
    ds.PatientBirthDate = ds.PatientSex = ds.AccessionNumber = ds.StudyID = ""
    ds.StudyDate, ds.StudyTime, ds.ReferringPhysicianName = "20260101", "120000", ""
    ds.PositionReferenceIndicator, ds.Manufacturer = "", "M"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, number + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Rows = ds.Columns = 4
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelSpacing, ds.SliceThickness = [1.0, 1.0], thickness
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [0, 0, 2.0 * number]
    ds.RescaleIntercept, ds.RescaleSlope = 0, 1
    ds.PixelData = np.zeros((4, 4), np.uint16).tobytes()
    return ds


def segmentation(mask, thickness):
    """A segmentation of three slices, written to seg.dcm."""
    one = highdicom.seg.SegmentDescription(
        1, "s", codes.SCT.Organ, codes.SCT.Liver, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
    )
    made = highdicom.seg.Segmentation(
        [slice_of(n, thickness) for n in range(3)], mask, "BINARY", [one],
        generate_uid(), 2, generate_uid(), 1, "M", "M", "1", "1",
    )
    made.save_as("seg.dcm")


mask = np.ones((3, 4, 4), np.uint8)
segmentation(mask, 2.0)
plain = highdicom.seg.segread("seg.dcm").get_volume().spacing
print("thickness 2.0:", plain)
segmentation(mask, None)
measures = pydicom.dcmread("seg.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
print("empty thickness, as written:", "SliceThickness" in measures)
try:
    highdicom.seg.segread("seg.dcm")
    said = ""
except AttributeError as error:
    said = str(error)
print("segread says:", said or "nothing")
as_described = plain == (2.0, 1.0, 1.0) and "SliceThickness" not in measures
as_described &= "required attributes for a Pixel Measures Sequence" in said
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
