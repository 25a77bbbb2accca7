#!/usr/bin/env bash
# One polygon, two masks: pycocotools 2.0.11 fills 100 pixels where Pillow, OpenCV and scikit-image fill 121
#
# Packages   pycocotools==2.0.11, pillow==13.0.0, opencv-python-headless==5.0.0.93, scikit-image==0.26.0, numpy==2.4.6
# Seen       The polygon (10, 10) (20, 10) (20, 20) (10, 20), in pixels, x to the right:
#              pycocotools   100 pixels, columns 10 to 19, middle at 14.5   the numbers are edges of pixels
#              Pillow        121 pixels, columns 10 to 20, middle at 15.0   the numbers are middles of pixels, and
#              OpenCV        121, the same                                  those under the outline belong to it
#              scikit-image  121, the same
#            The two masks overlap with an IoU of 0.83. The same with a diamond: 450 and 481 pixels.
# Good guess A polygon in a COCO file is the outline that an annotation tool drew, and any library turns it into
#            the same mask. Wrong: the format's own library is half a pixel up and left of the others, and smaller
#            by half a pixel all around.
# Matters    Polygons of LabelMe and of many scripts are filled with Pillow or OpenCV for training; scoring goes
#            through pycocotools. A perfect model loses a sixth of the IoU of a cell of ten pixels, and so all
#            matches at 0.85 and above; centers, and shapes that are exported and read again, move by half a pixel.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pycocotools==2.0.11 pillow==13.0.0 opencv-python-headless==5.0.0.93 \
  scikit-image==0.26.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask
from skimage.draw import polygon2mask

EDGE = 40


def filled(corners):
    """The mask of a polygon, by four libraries."""
    flat = [float(number) for corner in corners for number in corner]
    coco = mask.decode(mask.merge(mask.frPyObjects([flat], EDGE, EDGE)))
    picture = Image.new("L", (EDGE, EDGE))
    ImageDraw.Draw(picture).polygon(corners, fill=1, outline=1)
    opencv = cv2.fillPoly(np.zeros((EDGE, EDGE), np.uint8), [np.array(corners, np.int32)], 1)
    skimage = polygon2mask((EDGE, EDGE), np.array(corners)[:, ::-1])
    made = {"pycocotools": coco, "Pillow": np.array(picture), "OpenCV": opencv, "scikit-image": skimage}
    return {name: one.astype(bool) for name, one in made.items()}


seen = []
for corners in ([(10, 10), (20, 10), (20, 20), (10, 20)], [(5, 20), (20, 5), (35, 20), (20, 35)]):
    masks = filled(corners)
    for name, one in masks.items():
        columns = np.nonzero(one)[1]
        print(f"{name:12}  {one.sum()} pixels, columns {columns.min()} to {columns.max()}, middle {columns.mean():.1f}")
    areas = [int(one.sum()) for one in masks.values()]
    own, others = masks["pycocotools"], masks["Pillow"]
    iou = round(float((own & others).sum() / (own | others).sum()), 2)
    print(f"IoU of the first two {iou}")
    seen.append((areas, iou))
as_described = seen[0] == ([100, 121, 121, 121], 0.83) and seen[1][0] == [450, 481, 481, 481]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
