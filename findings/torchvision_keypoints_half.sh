#!/usr/bin/env bash
# torchvision 0.28.0: keypoints are flipped as indices of pixels, and turned and resized as places between them
#
# Packages   torchvision==0.28.0, torch==2.13.0 (CPU), numpy==2.4.6
# Seen       A picture of 20 x 20 with a bright square of 3 x 3 about pixel (11, 7), x first, and a keypoint
#            there (tv_tensors.KeyPoints); where the center of the square is after a transform, and the keypoint:
#                                       square         keypoint
#              both flips               (8, 12)        (8, 12)
#              rotate by 180 degrees    (8, 12)        (9, 13)
#              rotate by 90 degrees     (7, 8)         (7, 9)
#              resize to 80 x 80        (45.5, 29.5)   (44, 28)
#            Both flips and the rotation by 180 degrees give the same picture, to the last pixel.
# Good guess One convention holds in one library: either a pixel's index is its center, so that W - 1 - x flips it
#            and (x + 1/2) s - 1/2 scales it, or its corner is, so that W - x and x s do. Wrong: flips are of
#            the first kind, rotation, affine maps and resizing of the second.
# Matters    Augmented by rotation, a landmark lies half a pixel to a whole one beside what it names, in a
#            direction that turns with the angle; resized by four, as for heatmaps, 1.5 pixels. A network learns the
#            mean of both, and errors of the size of an annotator's look like noise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch

register = torch.library.register_fake


def lenient(name, *more, **options):
    """Register a fake operator of torchvision, unless this build of torch lacks the real one."""

    def keep(function):
        try:
            return register(name, *more, **options)(function)
        except RuntimeError:
            return function

    return keep


torch.library.register_fake = lenient  # no operator of these is used here
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

picture = torch.zeros(1, 20, 20)
picture[0, 6:9, 10:13] = 1
picture = tv_tensors.Image(picture)
point = tv_tensors.KeyPoints(torch.tensor([[11.0, 7.0]]), canvas_size=(20, 20))


def center(image):
    """Return where the bright part is, x and y."""
    rows, columns = torch.meshgrid(*(torch.arange(n) for n in image.shape[1:]), indexing="ij")
    weights = image[0].double()
    return [round(float((weights * of).sum() / weights.sum()), 3) for of in (columns, rows)]


def flipped(thing):
    return F.vertical_flip(F.horizontal_flip(thing))


transforms = {
    "both flips": flipped,
    "rotate 180": lambda thing: F.rotate(thing, 180),
    "rotate 90": lambda thing: F.rotate(thing, 90),
    "resize to 80": lambda thing: F.resize(thing, [80, 80], antialias=False),
}
found = {}
for name, transform in transforms.items():
    place = [round(value, 3) for value in transform(point)[0].tolist()]
    found[name] = center(transform(picture)), place
    print(f"{name:14}square {found[name][0]}, keypoint {found[name][1]}")
same = torch.equal(torch.as_tensor(flipped(picture)), torch.as_tensor(F.rotate(picture, 180)))
print(f"both flips are the rotation by 180 degrees: {same}")
as_described = same and found == {
    "both flips": ([8.0, 12.0], [8.0, 12.0]),
    "rotate 180": ([8.0, 12.0], [9.0, 13.0]),
    "rotate 90": ([7.0, 8.0], [7.0, 9.0]),
    "resize to 80": ([45.5, 29.5], [44.0, 28.0]),
}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
