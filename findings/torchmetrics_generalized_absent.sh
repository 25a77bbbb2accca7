#!/usr/bin/env bash
# torchmetrics 1.9.0: the generalized Dice of a perfect prediction is 0.5 where half of the images lack the class
#
# Packages   torchmetrics==1.9.0, torch==2.13.0 (CPU), numpy==2.4.6
# Seen       Two label maps, a lesion in the first and none in the second; the prediction is the same two maps.
#              DiceScore(include_background=False)               1.0
#              MeanIoU(include_background=False)                 1.0
#              GeneralizedDiceScore(include_background=False)    0.5
#              GeneralizedDiceScore(per_class=True)              background 1.0, lesion 0.5
#            With the lesion in both maps all of them are 1.
# Good guess What is predicted without a mistake has the best score: an image without the class is left out, as
#            DiceScore of the same package does it, or counts as 1. Wrong: its denominator is 0, and 0 is what it
#            counts in the mean over images.
# Matters    Images without a lesion are normal, and the share of them is what differs between hospitals and
#            folds. The score falls by that share whatever the model does; who selects models by it compares
#            data, and a fold with many healthy images looks like a failure.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from torchmetrics.segmentation import DiceScore, GeneralizedDiceScore, MeanIoU

lesion = torch.zeros(8, 8, dtype=torch.long)
lesion[2:5, 2:5] = 1
healthy = torch.zeros_like(lesion)


def scores(maps):
    """Return what each measure says of maps that are predicted as they are."""
    how = {"num_classes": 2, "input_format": "index"}
    measures = {kind.__name__: kind(**how, include_background=False) for kind in (DiceScore, MeanIoU, GeneralizedDiceScore)}
    measures["GeneralizedDiceScore, each class"] = GeneralizedDiceScore(**how, per_class=True)
    return {name: measure(maps, maps).tolist() for name, measure in measures.items()}


half, whole = scores(torch.stack([lesion, healthy])), scores(torch.stack([lesion, lesion]))
for name in half:
    print(f"{name:34}lesion in one of two {half[name]}, in both {whole[name]}")
as_described = half == {
    "DiceScore": 1.0,
    "MeanIoU": 1.0,
    "GeneralizedDiceScore": 0.5,
    "GeneralizedDiceScore, each class": [1.0, 0.5],
} and whole == dict.fromkeys(("DiceScore", "MeanIoU", "GeneralizedDiceScore"), 1.0) | {
    "GeneralizedDiceScore, each class": [1.0, 1.0]
}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
