#!/usr/bin/env bash
# SciPy 1.17.1: the median of an object that is not there is a number of another object
#
# Packages   scipy==1.17.1, numpy==2.4.6
# Seen       Values 5 7 9 100 200 of the objects 1 1 1 4 4, asked for objects 1, 2, 4:
#              mean                7    nan  150
#              median              7    5    150     <- 5 is a value of object 1
#              minimum, maximum    5 0 100, 9 0 200
#              minimum_position    (0,) (0,) (3,)    <- a voxel of object 1
# Good guess What has no voxel has no statistics: NaN throughout, as the mean gives, or an error. Wrong:
#            each function has an answer of its own, and the median's is a true value of the first voxel
#            in the sorted list. Only the mean warns.
# Matters    Cells are measured frame by frame with the ids of a whole track, and organs by the classes of a
#            data set, in images that have only some of them. Sums of intensity of a missing object are rightly
#            0 and means NaN, so the wrong median and a minimum of 0 HU pass for measurements.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet scipy==1.17.1 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
from scipy import ndimage

values = np.array([5.0, 7.0, 9.0, 100.0, 200.0])
objects = np.array([1, 1, 1, 4, 4])
wanted = [1, 2, 4]
seen = {}
for measure in (ndimage.sum_labels, ndimage.mean, ndimage.median, ndimage.minimum, ndimage.maximum):
    seen[measure.__name__] = [float(value) for value in measure(values, objects, wanted)]
seen["minimum_position"] = [int(place[0]) for place in ndimage.minimum_position(values, objects, wanted)]
for name, result in seen.items():
    print(f"{name:17} of the objects 1, 2, 4: {result}")
as_described = np.isnan(seen["mean"][1]) and seen["median"] == [7, 5, 150]
as_described &= seen["minimum"] == [5, 0, 100] and seen["maximum"] == [9, 0, 200]
as_described &= seen["minimum_position"] == [0, 0, 3]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
