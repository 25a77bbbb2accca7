#!/usr/bin/env bash
# torch 2.13.0 (CPU): instance norm, and Conv3d of one sample, give channels-last maps back channels first
#
# Packages   torch==2.13.0 (CPU), numpy==2.4.6
# Seen       A map of 16 channels, laid out channels last, through one layer (weights channels last, too):
#                                     2-D, 1 sample   2-D, 2   3-D, 1   3-D, 2
#              convolution            last            last     FIRST    last
#              instance norm          FIRST           FIRST    FIRST    FIRST
#              batch, group norm      last            last     last     last
#              ReLU                   last            last     last     last
# Good guess `network.to(memory_format=channels_last_3d)` and an input of that layout keep the whole network in
#            it, as the documentation's 2-D example does; how many samples there are changes nothing, and one
#            norm is like the other. Wrong twice. No error, no warning, and the numbers are right.
# Matters    3-D U-Nets are the networks with instance norm and with batches of one. They leave the layout that
#            was asked for after the first layer, and where a layer goes back to it, every map is copied. Who
#            measures "channels last" in 3-D measures copies, and finds that it does not pay; with a batch of
#            two the same script measures something else.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cd "$work"
venv/bin/python -I - <<'EOF'
import torch
from torch import nn

LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
LAYERS = {
    "convolution": lambda dim: (nn.Conv2d, nn.Conv3d)[dim - 2](16, 16, 3, padding=1),
    "instance norm": lambda dim: (nn.InstanceNorm2d, nn.InstanceNorm3d)[dim - 2](16),
    "batch norm": lambda dim: (nn.BatchNorm2d, nn.BatchNorm3d)[dim - 2](16),
    "group norm": lambda dim: nn.GroupNorm(4, 16),
    "ReLU": lambda dim: nn.ReLU(),
}
CASES = [(dim, samples) for dim in (2, 3) for samples in (1, 2)]


def stays(layer, dim, samples):
    """Whether what a layer makes of a map in channels last is in channels last."""
    image = torch.randn(samples, 16, *(8,) * dim).to(memory_format=LAST[dim])
    with torch.no_grad():
        out = LAYERS[layer](dim).to(memory_format=LAST[dim])(image)
    return out.is_contiguous(memory_format=LAST[dim])


seen = {layer: [stays(layer, *case) for case in CASES] for layer in LAYERS}
for layer, kept in seen.items():
    words = (f"{dim}-D, {n}: {'last' if k else 'FIRST'}" for (dim, n), k in zip(CASES, kept))
    print(f"{layer:14}", *words, sep="   ")
described = {
    "convolution": [True, True, False, True],
    "instance norm": [False] * 4,
    "batch norm": [True] * 4,
    "group norm": [True] * 4,
    "ReLU": [True] * 4,
}
raise SystemExit(None if seen == described else "the behavior is not the one described")
EOF
