#!/usr/bin/env bash
# SimpleITK 2.5.7: the header that is read alone has another geometry than the image
#
# Packages   simpleitk==2.5.7 (ITK 5.4), numpy==2.4.6
# Seen       A MetaImage file with `ElementSpacing = 1 2 -3`, and the same grid as NIfTI (pixdim[3] = -3):
#              ReadImageInformation  spacing (1.0, 2.0, -3.0)  last axis runs along +z
#              ReadImage             spacing (1.0, 2.0, 3.0)   last axis runs along -z
# Good guess ReadImageInformation is ReadImage without the voxels: what it says of spacing and direction
#            is what the image will have. Wrong: ReadImage moves the sign of the spacing into the
#            direction, ReadImageInformation does not. Nothing is printed. Both place a voxel in the same
#            spot only if index times signed spacing is used; each value for itself differs.
# Matters    Planning reads headers alone since voxels take long. An edge of -3 mm gives negative volumes
#            and target shapes, and an orientation taken from the direction says "up" for an image that
#            will come "down". Negative edges are common in MetaImage and NIfTI files of older tools.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import struct

import SimpleITK as sitk

with open("a.mhd", "w") as file:
    file.write(
        "ObjectType = Image\nNDims = 3\nDimSize = 4 3 2\nElementSpacing = 1 2 -3\nOffset = 0 0 0\n"
        "TransformMatrix = 1 0 0 0 1 0 0 0 1\nElementType = MET_UCHAR\nElementDataFile = a.raw\n"
    )
with open("a.raw", "wb") as file:
    file.write(bytes(range(24)))

header = bytearray(352)  # NIfTI-1, one file; no rotation (quaternion 0, 0, 0)
struct.pack_into("<i", header, 0, 348)
struct.pack_into("<8h", header, 40, 3, 4, 3, 2, 1, 1, 1, 1)  # dim
struct.pack_into("<2h", header, 70, 2, 8)  # datatype uint8, bitpix
struct.pack_into("<8f", header, 76, 1, 1, 2, -3, 1, 1, 1, 1)  # pixdim; [0] is qfac
struct.pack_into("<f", header, 108, 352)  # vox_offset
struct.pack_into("<b", header, 123, 2)  # mm
struct.pack_into("<2h", header, 252, 1, 0)  # qform_code, sform_code
header[344:348] = b"n+1\0"
with open("a.nii", "wb") as file:
    file.write(header + bytes(range(24)))

as_described = True
for name in ("a.mhd", "a.nii"):
    reader = sitk.ImageFileReader()
    reader.SetFileName(name)
    reader.ReadImageInformation()
    image = sitk.ReadImage(name)
    for who, what in (("ReadImageInformation", reader), ("ReadImage", image)):
        print(f"{name} {who:21}spacing {what.GetSpacing()} direction z {what.GetDirection()[8]:+.0f}")
    as_described &= reader.GetSpacing()[2] == -3 and reader.GetDirection()[8] == 1
    as_described &= image.GetSpacing()[2] == 3 and image.GetDirection()[8] == -1
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
