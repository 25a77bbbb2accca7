#!/usr/bin/env bash
# nnU-Net 2.8.1: an image whose fourth axis holds the channels is read, and its prediction cannot be written
#
# Packages   nnunetv2==2.8.1, torch==2.13.0 (CPU), SimpleITK==2.5.7, numpy==2.4.6
# Seen       SimpleITKIO, nnU-Net's default reader and writer of NIfTI, on one file of 6 x 5 x 4 voxels and 2 channels:
#              read_images   (2, 4, 5, 6) and the spacing of three axes: channels, as it should be
#              write_seg     of a label map (4, 5, 6) with the properties that read_images gave: AssertionError, without a word
# Good guess A reader that has a branch for four axes ("4d, multiple modalities in one file") belongs to a writer that
#            puts back three of them. Wrong: the writer takes the number of axes from the file's spacing, which has
#            four, and asserts that there are two or three.
# Matters    Planning, preprocessing and training run on such files (BraTS and other challenges hand them out), and the
#            first prediction of the validation at the end fails, after hours. One file for each channel works.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet nnunetv2==2.8.1 torch==2.13.0 SimpleITK==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import SimpleITK as sitk
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

image = sitk.JoinSeries([sitk.GetImageFromArray(np.full((4, 5, 6), float(k), np.float32)) for k in (1, 2)])
image.SetSpacing((0.5, 0.5, 3.0, 1.0))
sitk.WriteImage(image, "case.nii.gz")
array, properties = SimpleITKIO().read_images(("case.nii.gz",))
print("read:", array.shape, "spacing", [float(edge) for edge in properties["spacing"]], "channels", array.mean((1, 2, 3)).tolist())
try:
    SimpleITKIO().write_seg(np.zeros((4, 5, 6), np.uint8), "labels.nii.gz", properties)
    wrote = "nothing raised"
except AssertionError as error:
    wrote = f"AssertionError({error})"
print("write:", wrote)
as_described = array.shape == (2, 4, 5, 6) and np.allclose(properties["spacing"], (3, 0.5, 0.5))
as_described &= array.mean((1, 2, 3)).tolist() == [1, 2] and wrote == "AssertionError()"
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
