#!/usr/bin/env bash
# cc3d 4.1.1: of 2-D bool masks, connectivity=8 labels pixels that are outside of the mask
#
# Packages   connected-components-3d==4.1.1, numpy==2.4.6; scipy==1.17.1 beside it
# Seen       A mask of 3 x 3 pixels, of which (1, 2) and (2, 2) are set, one above the other:
#              connected_components(mask.astype(np.uint8), connectivity=8)   (1, 2) and (2, 2) are 1
#              connected_components(mask, connectivity=8), of bool           (1, 0) is 1, too
#            (1, 0) is False in the mask. So it is with 8 of the 511 masks of 3 x 3 pixels that are not
#            empty, and with none of them as uint8.
# Good guess A mask is the same thing as bool and as uint8; comparisons of NumPy give bool. Wrong in 2-D
#            with connectivity=8, while mask.view(np.uint8) costs nothing.
# Matters    Objects get pixels of background without an error, where their image is small or cut to a
#            box: areas and outlines of instances are wrong only a little, and nobody looks.
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


def outside(found, mask):
    """Return whether a pixel is labeled that is none of the mask, or the other way around."""
    return not np.array_equal(found > 0, mask)


mask = np.zeros((3, 3), bool)
mask[1, 2] = mask[2, 2] = True
of_bool = cc3d.connected_components(mask, connectivity=8)
of_uint8 = cc3d.connected_components(mask.astype(np.uint8), connectivity=8)
reference = ndimage.label(mask, np.ones((3, 3)))[0]
for name, found in (("bool", of_bool), ("uint8", of_uint8), ("scipy", reference)):
    print(f"{name:6}{found.tolist()}")
wrong = {"bool": 0, "uint8": 0}
for code in range(1, 2**9):
    one = np.array([code >> i & 1 for i in range(9)], bool).reshape(3, 3)
    wrong["bool"] += outside(cc3d.connected_components(one, connectivity=8), one)
    wrong["uint8"] += outside(cc3d.connected_components(one.view(np.uint8), connectivity=8), one)
print(f"wrong, of 511 masks of 3 x 3 pixels: {wrong}")
as_described = np.argwhere(of_bool).tolist() == [[1, 0], [1, 2], [2, 2]]
as_described &= np.array_equal(of_uint8, reference)
as_described &= wrong == {"bool": 8, "uint8": 0}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
