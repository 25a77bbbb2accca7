#!/usr/bin/env bash
# SimpleITK 2.5.7: a cube in slices of 5 mm is rounder than a ball, and has a fifth less surface than it has
#
# Packages   simpleitk==2.5.7 (ITK 5.4), numpy==2.4.6
# Seen       LabelShapeStatisticsImageFilter of a ball of 20 mm radius and of a cube of 40 mm, pixels of 1 x 1 mm:
#                                   ball: surface   roundness    cube: surface   roundness
#              true                       5027 mm2  1                  9600 mm2  0.806
#              slices of 1 mm             5036      0.999              8768      0.882
#              slices of 2 mm             5045      1.000              8430      0.918
#              slices of 5 mm             4993      1.002              7595      1.019
#            Volumes are right in each row.
# Good guess What measures a ball to 1 % measures a cube, whose faces lie on the grid, at least as well; and no body is
#            rounder than a ball. Wrong: the surface is estimated from intercepts along a few directions, which
#            are fewer and more unequal the thicker slices are, and suits what faces all directions alike.
# Matters    Surface, sphericity and roundness are features by which lesions are told apart, and the same lesion has
#            other ones in thin and in thick slices. A check against a ball, which one would do, finds nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet simpleitk==2.5.7 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import numpy as np
import SimpleITK as sitk


def measured(mask, slices):
    """Return surface, roundness and volume, for pixels of 1 mm."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing((1.0, 1.0, float(slices)))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOn()
    shape.Execute(image)
    return shape.GetPerimeter(1), shape.GetRoundness(1), shape.GetPhysicalSize(1)


found = {}
for slices in (1, 2, 5):
    axes = [(np.arange(64 // edge) + 0.5) * edge - 32 for edge in (slices, 1, 1)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    ball = measured(x**2 + y**2 + z**2 < 400, slices)
    # Of whole slices: 40 mm are 40, 20 and 8 of them.
    cube = measured((abs(x) < 20) & (abs(y) < 20) & (abs(z) < 20), slices)
    found[slices] = ball, cube
    print(
        f"slices of {slices} mm: ball {ball[0]:.0f} mm2, roundness {ball[1]:.3f}; "
        f"cube {cube[0]:.0f} mm2, roundness {cube[1]:.3f}, {cube[2]:.0f} mm3"
    )
true_ball, true_cube = 4 * np.pi * 400, 9600.0
balls = all(abs(ball[0] / true_ball - 1) < 0.01 for ball, _ in found.values())
thin, _, thick = (cube[0] / true_cube for _, cube in found.values())
rounder = found[5][1][1] > found[5][0][1]
volumes = [cube[2] for _, cube in found.values()]
as_described = balls and 0.90 < thin < 0.93 and 0.78 < thick < 0.80 and rounder and set(volumes) == {64000.0}
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
