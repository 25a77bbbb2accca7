#!/usr/bin/env bash
# Pillow 13.0.0: a TIFF that says it lies on its side is scrambled if it is not compressed
#
# Packages   pillow==13.0.0, numpy==2.4.6
# Seen       A picture of 2 rows and 3 columns, 0 1 2 / 3 4 5, saved twice by Pillow itself with orientation 6
#            (turn clockwise to see it upright), which gives 3 rows: 3 0 / 4 1 / 5 2:
#              compressed (deflate)   3 0 / 4 1 / 5 2
#              not compressed         4 2 0 / 5 3 1
#            Orientations 5, 7 and 8 alike; 2, 3 and 4 are right. `Image.size` says (2, 3) when the file is opened,
#            and (3, 2) once the plain one is loaded.
# Good guess Compression changes nothing about the picture, and what is loaded is either as stored or upright. Wrong
#            for files that are not compressed: rows are cut by the turned width first, then turned. No error
#            where height and width are other numbers, the picture is just noise in stripes.
# Matters    Microscopes and phones write the orientation, and plain TIFF is what science keeps. A square picture is
#            right by chance, so a test with one does not see it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
from PIL import Image

ORIENTATION = 274
stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
UPRIGHT = {  # by the definition of the tag, TIFF 6.0, page 36
    2: stored[:, ::-1],
    3: stored[::-1, ::-1],
    4: stored[::-1],
    5: stored.T,
    6: np.rot90(stored, -1),
    7: stored[::-1, ::-1].T,
    8: np.rot90(stored),
}
right = {}
for compression in ("tiff_adobe_deflate", None):
    for orientation, upright in UPRIGHT.items():
        name = f"{compression}_{orientation}.tif"
        Image.fromarray(stored).save(name, compression=compression, tiffinfo={ORIENTATION: orientation})
        with Image.open(name) as image:
            before = image.size
            found = np.asarray(image)
            after = image.size
        right[compression, orientation] = np.array_equal(found, upright)
        print(compression or "plain", orientation, found.tolist(), "size", before, "then", after)
as_described = all(right["tiff_adobe_deflate", o] for o in UPRIGHT)
as_described &= [o for o in UPRIGHT if not right[None, o]] == [5, 6, 7, 8]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
