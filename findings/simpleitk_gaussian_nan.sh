#!/usr/bin/env bash
# SimpleITK 2.5.7: DiscreteGaussian with a sigma of 27 pixels gives a picture of NaN
#
# Packages   simpleitk==2.5.7 (ITK 5.4), numpy==2.4.6
# Seen       One bright pixel in 301 x 301 of float32, maximumKernelWidth=301:
#              variance 700 (sigma 26.5 px)   variance of what comes out 717, no NaN
#              variance 710 (sigma 26.6 px)   every pixel NaN
#            The same with the default width of 32, and for a picture of ones. No exception, nothing printed.
#            SmoothingRecursiveGaussian has no such limit.
# Good guess A wide Gaussian is slow, or less exact; a limit, if there is one, is an error. Wrong: the kernel
#            (a modified Bessel function times exp(-variance)) overflows where exp(variance) does, at
#            709.8 px^2, and whatever it touches is NaN.
# Matters    Variance is in physical units, so the limit is reached by fine pixels, not by large values: 5 um
#            at 0.18 um a pixel, or 2 mm at 0.07 mm (micro-CT, whole slides). Background correction and heat
#            maps of landmarks use such widths; a cast to an integer type hides the NaN.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import SimpleITK as sitk

points = np.zeros((301, 301), np.float32)
points[150, 150] = 1
pictures = {"a point": sitk.GetImageFromArray(points), "ones": sitk.GetImageFromArray(np.ones_like(points))}
missing = {}
for asked in (400, 700, 710, 1600):
    for name, picture in pictures.items():
        for width in (32, 301):
            blurred = sitk.GetArrayFromImage(sitk.DiscreteGaussian(picture, float(asked), width))
            missing[asked, name, width] = float(np.isnan(blurred).mean())
    recursive = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(pictures["a point"], asked**0.5))
    missing[asked, "recursive", None] = float(np.isnan(recursive).mean())
    print(f"variance {asked}: share of NaN", {key[1:]: share for key, share in missing.items() if key[0] == asked})
as_described = all(
    share == (1 if asked >= 710 and name != "recursive" else 0) for (asked, name, _), share in missing.items()
)
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
