#!/usr/bin/env bash
# nibabel 5.4.2: whole-number labels, saved with the header of their scan, are no longer whole
#
# Packages   nibabel==5.4.2, numpy==2.4.6; simpleitk==2.5.7 beside it
# Seen       A float32 array of the labels 0, 1, 2, 5, saved with affine and header of an int16 scan, and
#            read again: header slope 7.63e-05, get_fdata() 0, 0.9999999997671694, 1.9999999995343387,
#            4.999999998835847. `== 1` finds no voxel, astype(int) gives 0, 0, 1, 4.
#            SimpleITK, which computes in float32, reads 0, 1, 2, 5 from the same file.
# Good guess Whole numbers that int16 can hold are stored as they are, with slope 1, as they are when the
#            array is int16 already. Wrong: a float array is stretched over the whole range of the header's
#            integer type, and the slope to undo it does not undo it to the last digit. No warning.
# Matters    Predictions are often float (argmax of torch tensors that were cast, thresholds, resampled maps),
#            and taking the scan's header is the usual way to keep its geometry. Every class shifts down by
#            one when the labels are cast, and Dice by equality is 0 for a perfect segmentation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6 simpleitk==2.5.7
cd "$work"
venv/bin/python -I - <<'EOF'
import nibabel
import numpy as np
import SimpleITK as sitk

nibabel.save(nibabel.Nifti1Image(np.zeros((4, 1, 1), np.int16), np.eye(4)), "scan.nii")
scan = nibabel.load("scan.nii")
labels = np.array([0, 1, 2, 5]).reshape(4, 1, 1)
read = {}
for kind in (np.int16, np.float32):
    nibabel.save(nibabel.Nifti1Image(labels.astype(kind), scan.affine, scan.header), "labels.nii")
    again = nibabel.load("labels.nii")
    read[kind] = again.get_fdata().ravel()
    print(f"saved from {kind.__name__}: slope {again.dataobj.slope}, read {read[kind].tolist()},", end=" ")
    print(f"as int {read[kind].astype(int).tolist()}, voxels == 1: {(read[kind] == 1).sum()}")
itk = sitk.GetArrayFromImage(sitk.ReadImage("labels.nii")).ravel()
print("SimpleITK:", itk.tolist())
as_described = read[np.int16].tolist() == [0, 1, 2, 5] and itk.tolist() == [0, 1, 2, 5]
as_described &= read[np.float32].astype(int).tolist() == [0, 0, 1, 4]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
