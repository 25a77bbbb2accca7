#!/usr/bin/env bash
# SimpleITK 2.5.7: a NIfTI whose slope is 0, which means as stored, comes with its intercept added
#
# Packages   simpleitk==2.5.7 (ITK 5.4), nibabel==5.4.2, numpy==2.4.6
# Seen       Voxels stored as 0 to 7 (int16), scl_slope 0 and scl_inter -1024 in the header:
#              nibabel.load         0 to 7
#              SimpleITK.ReadImage  -1024 to -1017
#            With scl_slope 1 both say -1024 to -1017; with both fields 0, both say 0 to 7.
# Good guess A slope of 0 switches scaling off, as nifti1.h has it ("if scl_slope is nonzero, then each voxel
#            value should be scaled"), and nobody looks at the intercept. Wrong: a slope of 0 is taken for 1,
#            and the intercept is added by itself.
# Matters    Hounsfield units are off by 1024 in one of two tools, so that a threshold or the window of a model
#            takes air for water; and label maps have other numbers. Neither reader says a word.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 nibabel==5.4.2 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import struct

import nibabel
import numpy as np
import SimpleITK as sitk

nibabel.save(nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4)), "a.nii")
with open("a.nii", "rb") as file:
    content = bytearray(file.read())
found = {}
for fields in ((0.0, -1024.0), (1.0, -1024.0), (0.0, 0.0)):
    struct.pack_into("<2f", content, 112, *fields)
    with open("b.nii", "wb") as file:
        file.write(content)
    seen = nibabel.load("b.nii").get_fdata(), sitk.GetArrayFromImage(sitk.ReadImage("b.nii"))
    found[fields] = [(float(array.min()), float(array.max())) for array in seen]
    print(f"slope {fields[0]:g}, intercept {fields[1]:g}: nibabel {found[fields][0]}, SimpleITK {found[fields][1]}")
stored, moved = (0.0, 7.0), (-1024.0, -1017.0)
as_described = found == {
    (0.0, -1024.0): [stored, moved],
    (1.0, -1024.0): [moved, moved],
    (0.0, 0.0): [stored, stored],
}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
