#!/usr/bin/env bash
# MONAI 1.6.1: Spacing(scale_extent=True) samples other places when the origin is 0
#
# Packages   monai==1.6.1, torch==2.13.0 (CPU), numpy==2.4.6
# Seen       A row of 8 voxels with the values 0 ... 7 and edge 1, resampled to edge 2, align_corners=True:
#              origin 3.5, 100, -100   values 0.5 2.5 4.5 6.5   new origin = origin + 0.5
#              origin 0                values 0   1.5 3.5 5.5   new origin = origin - 0.5
# Good guess Voxels of the double edge over the same extent are the means of pairs, wherever the patient lies.
#            Wrong at the origin 0: the sign of the half-voxel offset is taken from the coordinate of the
#            image's corner, which is negative there by the half voxel only. Half a new voxel is outside,
#            the last old voxel is lost. The affine says so, consistently, hence nothing looks wrong.
# Matters    Origin 0 is what every format without a position gives: microscopy, PNG, arrays, NIfTI made from
#            arrays. Their images are clipped by a voxel on one side, and a test on a made-up array does not
#            see what happens to scans, nor the other way round.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet monai==1.6.1 torch==2.13.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from monai.data import MetaTensor
from monai.transforms import Spacing

resample = Spacing((2, 2), mode="bilinear", scale_extent=True, align_corners=True)
seen = {}
for origin in (0.0, 3.5, 100.0, -100.0):
    affine = torch.eye(4, dtype=torch.float64)
    affine[:2, 3] = origin
    image = MetaTensor(torch.arange(8.0)[None, :, None].repeat(1, 1, 8), affine=affine)
    out = resample(image)
    seen[origin] = [round(float(v), 6) for v in out[0, :, 0]], float(out.affine[0, 3]) - origin
    print(f"origin {origin}: values {seen[origin][0]}, new origin is origin {seen[origin][1]:+.1f}")
right = [0.5, 2.5, 4.5, 6.5], 0.5
as_described = all(seen[origin] == right for origin in (3.5, 100.0, -100.0))
as_described &= seen[0.0] == ([0, 1.5, 3.5, 5.5], -0.5)
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
