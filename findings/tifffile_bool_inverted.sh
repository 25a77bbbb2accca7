#!/usr/bin/env bash
# tifffile 2026.3.3: a mask of bool comes back right, and everybody else sees it inverted
#
# Packages   tifffile==2026.3.3, pillow==13.0.0, numpy==2.4.6
# Seen       A mask of 4 x 8 with 4 true pixels, `tifffile.imwrite(name, mask)`:
#              tifffile.imread   4 true
#              Pillow            28 true
#              the same mask as uint8 (0 and 1): 4 in both
# Good guess A bool array is written as a bilevel picture in which true is what a viewer shows bright. Wrong: the
#            file says that 0 is white (PhotometricInterpretation 0, WhiteIsZero) while true is stored as 1, so a reader
#            that follows the tag turns the mask over; tifffile's own reader does not follow it for bilevel.
# Matters    Masks are bool when they come from a threshold. Annotated with one tool and read by another, the
#            background is the object, and nothing in the file tells such a mask from one whose tag is meant.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tifffile==2026.3.3 pillow==13.0.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import tifffile
from PIL import Image

mask = np.zeros((4, 8), bool)
mask[1:3, 2:4] = True
found = {}
for kind in (bool, np.uint8):
    name = f"{kind.__name__}.tif"
    tifffile.imwrite(name, mask.astype(kind))
    own = int((tifffile.imread(name) != 0).sum())
    other = int((np.asarray(Image.open(name)) != 0).sum())
    with tifffile.TiffFile(name) as file:
        tag = int(file.pages[0].photometric)
    found[kind.__name__] = own, other
    print(f"{kind.__name__}: photometric {tag}, tifffile {own} true, Pillow {other} true")
as_described = found == {"bool": (4, 28), "uint8": (4, 4)}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
