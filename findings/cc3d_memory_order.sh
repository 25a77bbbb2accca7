#!/usr/bin/env bash
# cc3d 4.1.1: which component is number 1, and which of two equals is the largest, depends on memory order
#
# Packages   connected-components-3d==4.1.1, numpy==2.4.6; scipy==1.17.1 beside it
# Seen       Two single voxels, one at (0, 2) and one at (2, 0); the same array in C and in Fortran order:
#              connected_components, C order        (0, 2) is 1, (2, 0) is 2
#              connected_components, Fortran order  (2, 0) is 1, (0, 2) is 2
#              largest_k(k=1), C order keeps (0, 2); Fortran order keeps (2, 0)
#            The two inputs are equal by np.array_equal.
# Good guess The result is a function of the values, as with scipy.ndimage.label, which numbers components
#            by their first voxel in index order whatever the memory looks like. Wrong: the scan goes
#            along memory.
# Matters    nibabel gives Fortran order, SimpleITK and tifffile C order, so one and the same annotation
#            gets other instance ids by the reader used; "keep the largest component" on ties (two lungs or
#            kidneys cut to the same size, single voxels) keeps another organ, and reruns do not compare.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet connected-components-3d==4.1.1 numpy==2.4.6 scipy==1.17.1
cd "$work"
venv/bin/python -I - <<'EOF'
import cc3d
import numpy as np
from scipy import ndimage

mask = np.zeros((3, 3), np.uint8)
mask[0, 2] = mask[2, 0] = 1
numbers, kept, reference = {}, {}, {}
for order in "CF":
    array = np.array(mask, order=order)
    numbers[order] = cc3d.connected_components(array, connectivity=4)
    kept[order] = np.argwhere(cc3d.largest_k(array, k=1, connectivity=4)).tolist()
    reference[order] = ndimage.label(array)[0]
    print(f"{order} order: (0, 2) is {numbers[order][0, 2]}, (2, 0) is {numbers[order][2, 0]};", end=" ")
    print(f"largest_k keeps {kept[order]}; scipy: (0, 2) is {reference[order][0, 2]}")
as_described = (numbers["C"][0, 2], numbers["C"][2, 0]) == (1, 2)
as_described &= (numbers["F"][0, 2], numbers["F"][2, 0]) == (2, 1)
as_described &= kept == {"C": [[0, 2]], "F": [[2, 0]]}
as_described &= np.array_equal(reference["C"], reference["F"])
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
