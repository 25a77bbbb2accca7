#!/usr/bin/env bash
# SimpleITK 2.5.7: an Analyze file of SPM comes without its scale
#
# Packages   simpleitk==2.5.7 (ITK 5.4), nibabel==5.4.2, scipy==1.17.1 (nibabel needs it to write SPM's .mat),
#            numpy==2.4.6
# Seen       Values from 0 to 100 that nibabel saves as SPM does (Spm2AnalyzeImage, int16): the scale that
#            turns whole numbers into values stands in the header, at byte 112, where NIfTI has scl_slope.
#              nibabel.load         the largest value is 100
#              SimpleITK.ReadImage  the largest value is 32767, int16
#            The same bytes with NIfTI's mark ("ni1") behind them: both say 100.
# Good guess NIfTI's reader of ITK takes both kinds of .hdr and .img, and applies the slope that it finds at
#            the same place of either. Wrong: for what has no mark it leaves the field aside, and says no
#            more than that Analyze is deprecated.
# Matters    SPM scales each file by its own largest value, so that images of a study come in steps of other
#            sizes, in which nothing can be compared; and label maps have values that no label has.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 nibabel==5.4.2 scipy==1.17.1 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import nibabel
import numpy as np
import SimpleITK as sitk

sitk.ProcessObject.SetGlobalWarningDisplay(False)
values = np.linspace(0, 100, 24).reshape(4, 3, 2)
image = nibabel.Spm2AnalyzeImage(values, np.eye(4))
image.set_data_dtype(np.int16)
nibabel.save(image, "spm.hdr")

with open("spm.hdr", "rb") as file:
    header = bytearray(file.read())
header[116:120] = bytes(4)  # an intercept of 0, which SPM's header has no field for
header[344:348] = b"ni1\0"
with open("nifti.hdr", "wb") as file:
    file.write(header)
with open("spm.img", "rb") as source, open("nifti.img", "wb") as file:
    file.write(source.read())

found = {}
for name in ("spm.hdr", "nifti.hdr"):
    found["nibabel", name] = float(nibabel.load(name).get_fdata().max())
    found["SimpleITK", name] = float(sitk.GetArrayFromImage(sitk.ReadImage(name)).max())
for (who, name), largest in found.items():
    print(f"{who:10}{name:10}largest value {largest:.6g}")
as_described = found["SimpleITK", "spm.hdr"] == 32767 and all(
    abs(largest - 100) < 0.01 for of, largest in found.items() if of != ("SimpleITK", "spm.hdr")
)
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
