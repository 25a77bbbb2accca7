#!/usr/bin/env bash
# torch 2.13.0: a label map shifted by half a pixel by grid_sample has every other label twice
#
# Packages   torch==2.13.0 (CPU), numpy==2.4.6; scipy==1.17.1 beside it
# Seen       Labels 0 ... 7 in a row, nearest label at 0.5, 1.5, ... 6.5:
#              grid_sample(mode="nearest")         0 2 2 4 4 6 6
#              scipy map_coordinates(order=0)      1 2 3 4 5 6 7
# Good guess A tie goes to one side, so half a pixel shifts the labels by one and keeps their sizes. Wrong:
#            ties are rounded to the even index, so labels with an odd index vanish and the others
#            double. Bilinear interpolation at the same places is right, so image and label fit no more.
# Matters    Ties are no exception: a crop whose size is odd in an even image, a downsampling by two, or a flip
#            about the center of another grid put all samples on half pixels. Thin structures (vessels,
#            membranes, cells of one pixel) then come and go by parity.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 scipy==1.17.1
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch.nn.functional import grid_sample

labels = torch.arange(8.0)
places = torch.arange(7) + 0.5
x = (2 * places + 1) / 8 - 1  # pixel k of 8 has its center at (2k + 1) / 8 - 1; exact in float32
grid = torch.stack([x, torch.zeros(7)], -1)[None, None]
seen = {
    mode: grid_sample(labels[None, None, None], grid, mode=mode, align_corners=False).flatten().tolist()
    for mode in ("nearest", "bilinear")
}
other = map_coordinates(labels.numpy(), [places.numpy()], order=0).astype(int).tolist()
print("places             ", places.tolist())
print("torch, nearest     ", seen["nearest"])
print("torch, bilinear    ", seen["bilinear"])
print("scipy, order 0     ", other)
as_described = seen["nearest"] == [0, 2, 2, 4, 4, 6, 6] and other == [1, 2, 3, 4, 5, 6, 7]
as_described &= np.allclose(seen["bilinear"], places)
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
