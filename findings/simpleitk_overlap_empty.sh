#!/usr/bin/env bash
# SimpleITK 2.5.7: the overlap of two empty masks is infinite
#
# Packages   simpleitk==2.5.7, numpy==2.4.6
# Seen       LabelOverlapMeasuresImageFilter on two images without any label:
#              GetDiceCoefficient()      inf
#              GetJaccardCoefficient()   1.7976931348623157e+308 (the largest double, and finite)
#            One image empty: 0 for both. No exception, nothing printed.
# Good guess Both empty is 1 (nothing to find, nothing found), 0 or NaN: a Dice is between 0 and 1 or undefined.
#            Wrong; and the two measures, which are functions of each other, differ in their stand-in.
# Matters    Cases without the lesion are normal. One of them makes the mean Dice of a study infinite, which
#            one would notice, but a filter for finite values (np.isfinite) lets 1.8e308 through, np.nanmean
#            keeps both, and a rank or a median puts the empty case at the top.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import math
import sys

import numpy as np
import SimpleITK as sitk

mask = np.zeros((4, 4), np.uint8)
empty = sitk.GetImageFromArray(mask)
mask[1:3, 1:3] = 1
square = sitk.GetImageFromArray(mask)
seen = {}
for name, pair in {"equal": (square, square), "one empty": (square, empty), "both empty": (empty, empty)}.items():
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*pair)
    seen[name] = overlap.GetDiceCoefficient(), overlap.GetJaccardCoefficient()
    print(f"{name:10} Dice {seen[name][0]}  Jaccard {seen[name][1]}")
described = {"equal": (1, 1), "one empty": (0, 0), "both empty": (math.inf, sys.float_info.max)}
raise SystemExit(None if seen == described else "the behavior is not the one described")
EOF
