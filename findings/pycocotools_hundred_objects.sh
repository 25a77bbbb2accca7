#!/usr/bin/env bash
# pycocotools 2.0.11: a perfect result of 150 cells has AP 0.66, and -1 when the limit is raised
#
# Packages   pycocotools==2.0.11, numpy==2.4.6
# Seen       One image, 150 objects, the prediction equal to the annotation:
#              as it comes                      AP 0.663, AP50 0.663, AR 0.667
#              params.maxDets = [1, 10, 1000]   AP -1, AP50 1.0
# Good guess A prediction that equals the annotation has AP 1; and a limit on the number of detections, once
#            raised in the parameters, is raised for all lines of the summary. Wrong twice: objects after the
#            first 100 of an image are dropped before scoring, and the first line of the summary looks up the
#            limit 100 by name and finds nothing, for which it writes -1 (other lines take the new limit).
# Matters    The limit fits photographs of everyday things. A field of cells has hundreds of nuclei, so AP
#            measures how crowded the images are; nothing says that objects were dropped.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pycocotools==2.0.11 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import contextlib
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

boxes = [[30 * (k % 16), 30 * (k // 16), 20, 20] for k in range(150)]
cells = [
    {"id": k + 1, "image_id": 1, "category_id": 1, "bbox": box, "area": 400, "iscrowd": 0}
    for k, box in enumerate(boxes)
]
found = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.9} for box in boxes]


def score(limits):
    """AP, AP50 and AR at the last limit, of a prediction that is the annotation."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": 1, "height": 512, "width": 512}],
            "categories": [{"id": 1, "name": "cell"}],
            "annotations": cells,
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(found), "bbox")
        if limits is not None:
            run.params.maxDets = limits
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [round(float(run.stats[k]), 3) for k in (0, 1, 8)]


seen = [score(None), score([1, 10, 1000])]
print("as it comes               AP, AP50, AR:", seen[0])
print("maxDets = [1, 10, 1000]   AP, AP50, AR:", seen[1])
raise SystemExit(None if seen == [[0.663, 0.663, 0.667], [-1, 1, 1]] else "the behavior is not the one described")
EOF
