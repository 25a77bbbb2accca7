#!/usr/bin/env bash
# SciPy 1.17.1: the distance to a background that is not there is a small number
#
# Packages   scipy==1.17.1, numpy==2.4.6
# Seen       A mask of 3 x 4 voxels that are all foreground:
#              distance_transform_edt   1.0 at the first voxel, 4.24 at the last, as if there were a
#                                       background voxel at row -1 in the first column
#              its indices              -1 along the first axis
#              distance_transform_cdt   -1 everywhere
#              distance_transform_bf    1.3e154 everywhere
# Good guess The distance to nothing is infinite, or all three functions agree on a stand-in, or it is an
#            error. Wrong: the one that everybody uses gives plausible lengths, which grow along the axes.
# Matters    Crops and patches inside a large organ or nucleus have no background. Distance maps as targets,
#            boundary losses and surface distances (distance to an empty mask is the same call on its
#            complement) then get a gradient to a corner of the crop instead of "no surface here".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
from scipy import ndimage

mask = np.ones((3, 4), bool)
euclidean, nearest = ndimage.distance_transform_edt(mask, return_indices=True)
chamfer = ndimage.distance_transform_cdt(mask)
brute = ndimage.distance_transform_bf(mask)
print("distance_transform_edt\n", euclidean.round(2))
print("row of the nearest background voxel\n", nearest[0])
print("distance_transform_cdt\n", chamfer)
print("distance_transform_bf\n", brute)

rows, columns = np.indices(mask.shape)
as_described = np.allclose(euclidean, np.hypot(rows + 1, columns))
as_described &= (nearest[0] == -1).all() and (chamfer == -1).all() and (brute > 1e150).all()
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
