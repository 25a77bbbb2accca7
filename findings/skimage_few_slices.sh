#!/usr/bin/env bash
# scikit-image 0.26.0: imread moves the slices of a stack to the end where there are three or four of them
#
# Packages   scikit-image==0.26.0, tifffile==2026.3.3, numpy==2.4.6
# Seen       Stacks of 2, 3, 4 and 5 slices of 6 x 8 pixels, saved as Fiji saves them (ImageJ TIFF, axes ZYX, a
#            spacing along z and a unit):
#              tifffile.imread     (2, 6, 8)  (3, 6, 8)  (4, 6, 8)  (5, 6, 8)
#              skimage.io.imread   (2, 6, 8)  (6, 8, 3)  (6, 8, 4)  (5, 6, 8)
#            No warning. A plain stack of gray pages comes so, too.
# Good guess A file that says of itself that its first axis is z is read in the order z, y, x, however many slices
#            it has. Wrong: three or four pages are taken for the colors of a picture, by their number alone.
# Matters    Crops along z, thin stacks of tissue and test files are of few slices. In a folder of stacks just
#            these have other axes: "x" is z, the loop over slices runs over rows, spacing is applied to the wrong
#            axis, and a mask that was saved from such an array fits its image no more.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scikit-image==0.26.0 tifffile==2026.3.3 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import warnings

import numpy as np
import tifffile
from skimage.io import imread

warnings.simplefilter("error")
found = {}
for slices in (2, 3, 4, 5):
    stack = np.arange(slices * 48, dtype=np.uint8).reshape(slices, 6, 8)
    fields = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite("fiji.tif", stack, imagej=True, metadata=fields, resolution=(10, 10))
    tifffile.imwrite("plain.tif", stack, photometric="minisblack")
    with tifffile.TiffFile("fiji.tif") as file:
        axes = file.series[0].axes
    found[slices] = [imread(name).shape for name in ("fiji.tif", "plain.tif")]
    print(f"{slices} slices, {axes}: tifffile {tifffile.imread('fiji.tif').shape}, skimage {found[slices][0]}")
as_described = found == {
    2: [(2, 6, 8)] * 2,
    3: [(6, 8, 3)] * 2,
    4: [(6, 8, 4)] * 2,
    5: [(5, 6, 8)] * 2,
}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
