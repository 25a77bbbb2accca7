#!/usr/bin/env bash
# batchgeneratorsv2 0.3.6: SpatialTransform by nothing shifts by half a pixel when a size is odd
#
# Packages   batchgeneratorsv2==0.3.6, torch==2.13.0 (CPU), numpy==2.4.6
# Seen       A picture of 9 x 9 with one bright, labeled pixel in the middle, patch 8 x 8, at the center:
#              nothing drawn             the pixel is at (4, 4) with value 1, its label is there
#              scaling by exactly 1      0.25 at (3, 3), (3, 4), (4, 3), (4, 4); its label is gone
#            9 to 9 and 8 to 8 are the same in both; 8 to 9 spreads it as 9 to 8 does.
# Good guess A rotation by 0 or a scaling by 1 is the crop that is taken when no rotation or scaling is
#            drawn. Wrong where patch and image differ by an odd number: the crop starts at a whole pixel, the
#            grid is centered and so lies between pixels.
# Matters    Patches are cut a little larger than needed and then cropped by this transform, in sizes that
#            depend on the configuration. With an odd difference, every patch that is augmented is blurred and
#            loses thin labels, and those that are not keep them: one pixel of margin changes a training.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet batchgeneratorsv2==0.3.6 torch==2.13.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform


def pixels(size, patch, **options):
    """Pixels that are not 0, with their values, in the transformed image and label."""
    image = torch.zeros(1, size, size)
    image[0, size // 2, size // 2] = 1
    label = image.to(torch.int16)
    out = SpatialTransform((patch, patch), 0, False, **options)(image=image, segmentation=label)
    return [
        {tuple(place): round(values[0][tuple(place)].item(), 3) for place in values[0].nonzero().tolist()}
        for values in (out["image"], out["segmentation"])
    ]


as_described = True
for size, patch in ((9, 9), (8, 8), (9, 8), (8, 9)):
    plain = pixels(size, patch)
    scaled = pixels(size, patch, p_scaling=1, scaling=(1, 1), p_synchronize_scaling_across_axes=1)
    print(f"{size} to {patch}: nothing drawn {plain}, scaled by 1 {scaled}")
    middle = {(4, 4): 1}
    as_described &= plain == [middle, middle]
    if (size - patch) % 2 == 0:
        as_described &= scaled == [middle, middle]
    else:
        as_described &= list(scaled[0].values()) == [0.25] * 4 and not scaled[1]
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
