#!/usr/bin/env bash
# torch 2.13.0 (CPU): instance norm of one sample has a wrong gradient when channels come last
#
# Packages   torch==2.13.0 (CPU), numpy==2.4.6
# Seen       One picture of 2 channels and 4 pixels, weights per channel 1 and 3, loss = sum of weight times
#            normalized pixel. Normalized pixels sum to 0 in each channel, so the loss is 0 for every picture
#            and its gradient is 0:
#              weights laid out as (1, C, Y, X)                              gradient 0
#              the same sum over (1, Y, X, C) by movedim(1, -1), contiguous  gradient up to 0.85
#              two copies of the picture in a batch, channels last           gradient 0
#            The forward value is right each time; float64 is wrong, too.
# Good guess The layout in memory decides about speed, never about numbers, and one sample is computed as a
#            batch of two is. Wrong: with one sample a gradient that arrives channels last is read as if it
#            lay channels first. No error, no warning.
# Matters    3-D networks train with a batch of one since volumes are large, normalize instances for the same
#            reason, and losses often move the channels last. The training runs, and learns from noise.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from torch.nn.functional import instance_norm

picture = torch.tensor([[[[1.0, 2.0], [3.0, 5.0]], [[4.0, 0.0], [1.0, 1.0]]]], dtype=torch.float64)
weight = torch.tensor([1.0, 3.0], dtype=torch.float64)


def gradient(samples, channels_last):
    """Largest absolute gradient of the sum of weight times normalized pixel; 0 by arithmetic."""
    image = picture.repeat(samples, 1, 1, 1).requires_grad_()
    normal = instance_norm(image)
    if channels_last:
        loss = (normal.movedim(1, -1) * weight.expand(samples, 2, 2, 2).contiguous()).sum()
    else:
        loss = (normal * weight[:, None, None].expand(samples, 2, 2, 2).contiguous()).sum()
    loss.backward()
    print(f"samples {samples}, channels last {channels_last}: loss {loss.item():.1e},", end=" ")
    largest = image.grad.abs().max().item()
    print(f"largest gradient {largest:.6f}")
    return largest


right = [gradient(1, False), gradient(2, False), gradient(2, True)]
wrong = gradient(1, True)
as_described = max(right) < 1e-9 and wrong > 0.1
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
