#!/usr/bin/env bash
# SimpleITK 2.5.7: a multi-frame file whose frames are not in order of place loses its spacing, not its slices
#
# Packages   simpleitk==2.5.7 (GDCM inside), highdicom==0.28.2, pydicom==3.0.2, numpy==2.4.6
# Seen       Four CT slices at z = 0, 3, 6, 9 mm with the values 0, 1, 2, 3, pixels of 0.5 mm, in one Legacy
#            Converted Enhanced CT object by highdicom:
#              frames in order of place    spacing (0.5, 0.5, 3.0), values in order of z
#              frames 6, 0, 9, 3 mm        spacing (1.0, 1.0, 1.0), values 2 0 3 1 in order of the file
#            Each frame carries its position in both; highdicom's get_volume sorts them: spacing 3.0, 0.5, 0.5.
# Good guess Frames are sorted by position as a series of single files is, or refused. Wrong: the image comes
#            in the file's order, and with the pixel size forgotten, too, which all frames share.
# Matters    The standard leaves the order of frames free (dimension indices say it). Such a scan reads as
#            a volume of 1 mm cubes of shuffled slices, without an error: volumes in ml and every resampling
#            to a common spacing are wrong, and labels that are drawn in order fit no more.
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
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()


def ct_slice(index):
    """A CT slice of 4 x 4 pixels of the value `index` at z = 3 mm * index."""
    slice_ = Dataset()
    values = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": generate_uid(), "StudyInstanceUID": study,
        "SeriesInstanceUID": series, "FrameOfReferenceUID": frame_of_reference, "PatientName": "Made^Up",
        "PatientID": "1", "PatientBirthDate": "", "PatientSex": "", "ReferringPhysicianName": "",
        "StudyID": "1", "AccessionNumber": "", "Modality": "CT", "StudyDate": "20200101",
        "StudyTime": "120000", "SeriesDate": "20200101", "SeriesTime": "120000",
        "AcquisitionDate": "20200101", "AcquisitionTime": "120000",
        "ContentDate": "20200101", "ContentTime": "120000",
        "Manufacturer": "None", "SeriesNumber": 1, "InstanceNumber": index + 1, "AcquisitionNumber": 1,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "KVP": "120", "PositionReferenceIndicator": "",
        "PatientPosition": "HFS", "BurnedInAnnotation": "NO", "LossyImageCompression": "00",
        "PixelSpacing": [0.5, 0.5], "SliceThickness": "3", "ImagePositionPatient": [0, 0, 3 * index],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "Rows": 4, "Columns": 4, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 1, "RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "HU",
        "PixelData": np.full((4, 4), index, "<i2").tobytes(),
    }  # fmt: skip
    for keyword, value in values.items():
        setattr(slice_, keyword, value)
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return slice_


highdicom.legacy.LegacyConvertedEnhancedCTImage(
    [ct_slice(index) for index in range(4)],
    series_instance_uid=generate_uid(), series_number=2, sop_instance_uid=generate_uid(), instance_number=1,
).save_as("sorted.dcm")  # fmt: skip
data = pydicom.dcmread("sorted.dcm")
heights = [frame.PlanePositionSequence[0].ImagePositionPatient[2] for frame in data.PerFrameFunctionalGroupsSequence]
order = [heights.index(z) for z in (6, 0, 9, 3)]
data.PixelData = data.pixel_array[order].tobytes()
data.PerFrameFunctionalGroupsSequence = [data.PerFrameFunctionalGroupsSequence[k] for k in order]
data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
data.save_as("shuffled.dcm", enforce_file_format=True)

seen = {}
for name in ("sorted", "shuffled"):
    image = sitk.ReadImage(f"{name}.dcm")
    volume = highdicom.imread(f"{name}.dcm").get_volume()
    values = sitk.GetArrayFromImage(image)[:, 0, 0].tolist()
    seen[name] = image.GetSpacing(), values
    print(f"{name:9} SimpleITK spacing {image.GetSpacing()} values {values};", end=" ")
    print(f"highdicom spacing {volume.spacing} values {volume.array[:, 0, 0].tolist()}")
as_described = seen["shuffled"] == ((1, 1, 1), [2, 0, 3, 1])
as_described &= seen["sorted"][0] == (0.5, 0.5, 3) and seen["sorted"][1] in ([0, 1, 2, 3], [3, 2, 1, 0])
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
