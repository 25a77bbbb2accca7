#!/usr/bin/env bash
# highdicom 0.28.2: frames of a segmentation run downwards, whichever way its source images and mask run
#
# Packages   highdicom==0.28.2, pydicom==3.0.2, numpy==2.4.6
# Seen       Three CT slices at z = 0, 2 and 4 mm, given from below to above, instance numbers 1 to 3. A mask with 1, 2
#            and 3 pixels in them, in that order:
#              frames as written     z = 4, 2, 0 with 3, 2 and 1 pixels
#            Everything in the file is right: each frame names its place.
# Good guess Frame k of what was made of k slices is slice k, as in the array that was given. Wrong for every axial
#            series that runs upwards.
# Matters    Viewers and scripts that take the frames of a segmentation in their order, beside the slices in theirs,
#            show it upside down. Sort frames by the places that they name, or write them in the source's order.
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


mask = np.zeros((3, 4, 4), np.uint8)
for number in range(3):
    mask[number, 0, : number + 1] = 1
segmentation(mask, 2.0)
found = pydicom.dcmread("seg.dcm")
heights = [float(f.PlanePositionSequence[0].ImagePositionPatient[2]) for f in found.PerFrameFunctionalGroupsSequence]
pixels = [int(frame.sum()) for frame in found.pixel_array]
print("frames at z =", heights, "with", pixels, "pixels")
as_described = heights == [4.0, 2.0, 0.0] and pixels == [3, 2, 1]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
