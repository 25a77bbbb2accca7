#!/usr/bin/env bash
# pydicom 3.0.2: pixel_array is RGB already, while the data set beside it still says YBR_FULL
#
# Packages   pydicom==3.0.2, numpy==2.4.6
# Seen       A color image that a valid file stores uncompressed as YBR_FULL; each pixel is red 200, green 40, blue 90:
#              ds.pixel_array                                        201  40  90   the colors
#              ds.PhotometricInterpretation                          YBR_FULL      of the bytes in the file
#              convert_color_space(the array, what ds says, "RGB")   148 255  45   converted twice
#            pixel_array(path) is RGB, too; with raw=True it is 94 126 204, as stored. No warning anywhere.
# Good guess The array is in the color space that the data set names, as in pydicom 1 and 2, whose examples
#            convert it with just this call. Wrong since 3.0: it is converted on the way, and the tag stays.
# Matters    Ultrasound, endoscopy, dermatology and slides are often YBR. Code that was right for years turns skin
#            green; and an array that is written back into its own data set is a file whose tag is a lie, which
#            every other reader then shows in wrong colors.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import warnings

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import convert_color_space, pixel_array
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

warnings.simplefilter("error")
colors = np.full((4, 4, 3), (200, 40, 90), np.uint8)
image = pydicom.Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = SecondaryCaptureImageStorage
image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
image.Rows = image.Columns = 4
image.SamplesPerPixel, image.PlanarConfiguration, image.PixelRepresentation = 3, 0, 0
image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
image.PhotometricInterpretation = "YBR_FULL"
image.PixelData = convert_color_space(colors, "RGB", "YBR_FULL").tobytes()
image.save_as("image.dcm", enforce_file_format=True)

ds = pydicom.dcmread("image.dcm")
array = ds.pixel_array
twice = convert_color_space(array, ds.PhotometricInterpretation, "RGB")
rows = {
    "pixel_array": array,
    "converted by what the data set says": twice,
    "pixel_array(path)": pixel_array("image.dcm"),
    "pixel_array(path, raw=True)": pixel_array("image.dcm", raw=True),
}
for name, one in rows.items():
    print(f"{name:36} {one[0, 0].tolist()}")
print("the data set says", ds.PhotometricInterpretation)
seen = [one[0, 0].tolist() for one in rows.values()]
as_described = ds.PhotometricInterpretation == "YBR_FULL" and seen == [
    [201, 40, 90],
    [148, 255, 45],
    [201, 40, 90],
    [94, 126, 204],
]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
