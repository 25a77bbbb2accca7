#!/usr/bin/env bash
# SimpleITK 2.5.7: a multi-frame PET is scaled by the slope of its first frame
#
# Packages   simpleitk==2.5.7 (GDCM inside), highdicom==0.28.2, pydicom==3.0.2, numpy==2.4.6
# Seen       Three PET slices with the stored values 100, 101, 102 and the slopes 1, 2, 4, put into one
#            Legacy Converted Enhanced PET object by highdicom (true values 100, 202, 408):
#              highdicom get_frames    408 202 100   (the file has the frames from top to bottom)
#              SimpleITK ReadImage     408 404 400
#              pydicom apply_modality_lut of pixel_array    102 101 100 (the slopes are not looked for)
# Good guess A reader that scales frames scales each by its own slope, as it does for a series of single
#            files; one that cannot says so. Wrong: the slope of the first frame serves for all of them.
# Matters    PET is stored with another slope for each slice so that faint slices keep their digits.
#            After conversion of an archive to multi-frame objects, uptake (SUV) is off by the ratio of the
#            slopes, smoothly along the body: nothing looks broken.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()


def pet_slice(index, slope):
    """A PET slice of 4 x 4 pixels with the stored value 100 + index at z = 3 mm * index."""
    slice_ = Dataset()
    values = {
        "SOPClassUID": PositronEmissionTomographyImageStorage, "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": study, "SeriesInstanceUID": series, "FrameOfReferenceUID": frame_of_reference,
        "PatientName": "Made^Up", "PatientID": "1", "PatientBirthDate": "", "PatientSex": "",
        "ReferringPhysicianName": "", "StudyID": "1", "AccessionNumber": "", "Modality": "PT",
        "StudyDate": "20200101", "StudyTime": "120000", "SeriesDate": "20200101", "SeriesTime": "120000",
        "AcquisitionDate": "20200101", "AcquisitionTime": "120000",
        "ContentDate": "20200101", "ContentTime": "120000", "Manufacturer": "None",
        "SeriesNumber": 1, "InstanceNumber": index + 1, "AcquisitionNumber": 1, "ImageIndex": index + 1,
        "ImageType": ["ORIGINAL", "PRIMARY"], "Units": "BQML", "CountsSource": "EMISSION",
        "SeriesType": ["STATIC", "IMAGE"], "CorrectedImage": ["DECY"], "DecayCorrection": "START",
        "CollimatorType": "NONE", "FrameReferenceTime": "0", "ActualFrameDuration": "1000",
        "DecayFactor": "1", "NumberOfSlices": 3, "PositionReferenceIndicator": "", "PatientPosition": "HFS",
        "RadiopharmaceuticalInformationSequence": [], "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00", "PixelSpacing": [2, 2], "SliceThickness": "3",
        "ImagePositionPatient": [0, 0, 3 * index], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "Rows": 4, "Columns": 4, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1,
        "RescaleSlope": str(slope), "RescaleIntercept": "0",
        "PixelData": np.full((4, 4), 100 + index, "<i2").tobytes(),
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(slice_, keyword, value)
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return slice_


slices = [pet_slice(index, slope) for index, slope in enumerate((1, 2, 4))]
enhanced = highdicom.legacy.LegacyConvertedEnhancedPETImage(
    slices, series_instance_uid=generate_uid(), series_number=2, sop_instance_uid=generate_uid(), instance_number=1
)
enhanced.save_as("pet.dcm")
data = pydicom.dcmread("pet.dcm")
seen = {
    "highdicom": highdicom.imread("pet.dcm").get_frames()[:, 0, 0].tolist(),
    "SimpleITK": sitk.GetArrayFromImage(sitk.ReadImage("pet.dcm"))[:, 0, 0].tolist(),
    "pydicom": apply_modality_lut(data.pixel_array, data)[:, 0, 0].tolist(),
}
for frame in data.PerFrameFunctionalGroupsSequence:
    slope = frame.PixelValueTransformationSequence[0].RescaleSlope
    print("in the file: z", frame.PlanePositionSequence[0].ImagePositionPatient[2], "slope", slope)
for name, values in seen.items():
    print(f"{name:10} {values}")
described = {"highdicom": [408, 202, 100], "SimpleITK": [408, 404, 400], "pydicom": [102, 101, 100]}
raise SystemExit(None if seen == described else "the behavior is not the one described")
EOF
