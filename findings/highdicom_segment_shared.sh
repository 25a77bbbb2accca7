#!/usr/bin/env bash
# highdicom 0.28.2: where a frame says its segment depends on how many segments there are
#
# Packages   highdicom==0.28.2, pydicom==3.0.2, numpy==2.4.6
# Seen       Three CT slices, and masks of them as binary segmentations:
#              two segments described, both or one drawn   each frame has SegmentIdentificationSequence, the shared
#                                                          groups have none
#              one segment described                       no frame has it, the shared groups do
#            Both are right by the standard, which lets what all frames have in common stand in the shared groups.
# Good guess Frames are alike however many segments there are: each says its own, as
#            `frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber`, and does so where one of two is drawn.
# Matters    Code that is tried with two organs ends in an AttributeError for one. Look into both groups, the frame's
#            own before the shared ones.
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


def places_of(mask, count):
    """Whether each frame, and the shared groups, say the segment."""
    kinds = [
        highdicom.seg.SegmentDescription(
            n, f"s{n}", codes.SCT.Organ, codes.SCT.Liver, highdicom.seg.SegmentAlgorithmTypeValues.MANUAL
        )
        for n in range(1, count + 1)
    ]
    highdicom.seg.Segmentation(
        [slice_of(n, 2.0) for n in range(3)], mask, "BINARY", kinds,
        generate_uid(), 2, generate_uid(), 1, "M", "M", "1", "1",
    ).save_as("seg.dcm")
    found = pydicom.dcmread("seg.dcm")
    name = "SegmentIdentificationSequence"
    frames = {name in frame for frame in found.PerFrameFunctionalGroupsSequence}
    return frames, name in found.SharedFunctionalGroupsSequence[0]


one = np.zeros((3, 4, 4), np.uint8)
one[:, 0] = 1
both = one.copy()
both[:, 1] = 2
seen = {
    "two described, both drawn": places_of(both, 2),
    "two described, one drawn": places_of(one, 2),
    "one described, and drawn": places_of(one, 1),
}
for what, (frames, shared) in seen.items():
    print(f"{what:28}in frames {sorted(frames)}, shared {shared}")
as_described = list(seen.values()) == [({True}, False), ({True}, False), ({False}, True)]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
