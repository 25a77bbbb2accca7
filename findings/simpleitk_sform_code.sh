#!/usr/bin/env bash
# SimpleITK 2.5.7: the code of a NIfTI's sform decides whether the sform counts
#
# Packages   simpleitk==2.5.7 (ITK 5.4), nibabel==5.4.2, numpy==2.4.6
# Seen       A volume whose qform and sform are rotations by 0 and by 30 degrees, both with a code over 0. Of
#            the sform, five codes: 1 (scanner), 2 (aligned), 3 (Talairach), 4 (MNI), 5 (template).
#              nibabel.load         30 degrees with each code
#              SimpleITK.ReadImage  30 degrees with code 1, 0 degrees with 2, 3, 4 and 5
#            With a qform code of 0, both say 30 degrees with each code.
# Good guess An sform with any code over 0 goes before the qform, as nifti1.h advises and nibabel has it; or
#            else the qform always does, as ITK had it for years. Wrong: it depends on the code.
# Matters    Registration writes exactly such headers: the scanner's qform, and an sform of code 2 or 4 to
#            where the image was brought. One tool shows labels on the image, another one beside it, and
#            to set the code to 1 turns the image though no number of a matrix has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 nibabel==5.4.2 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import math

import nibabel
import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def turned(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    affine = np.eye(4)
    affine[:2, :2] = [[c, -s], [s, c]]
    return affine


def degrees_of(row):
    """Of the first axis, from its cosines along x and y."""
    return round(math.degrees(math.atan2(row[1], row[0]))) % 180


as_described = True
for qform_code in (1, 0):
    for sform_code in (1, 2, 3, 4, 5):
        image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
        image.set_qform(turned(0), qform_code)
        image.set_sform(turned(30), sform_code)
        nibabel.save(image, "image.nii")
        by_nibabel = degrees_of(nibabel.load("image.nii").affine[:2, 0])
        direction = np.reshape(sitk.ReadImage("image.nii").GetDirection(), (3, 3))
        by_itk = degrees_of(direction[:2, 0])  # both of its axes are the other way round
        print(f"qform code {qform_code}, sform code {sform_code}:", end=" ")
        print(f"nibabel {by_nibabel} degrees, SimpleITK {by_itk} degrees")
        wanted = 0 if qform_code and sform_code != 1 else 30
        as_described &= by_nibabel == 30 and by_itk == wanted
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
