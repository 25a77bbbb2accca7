#!/usr/bin/env bash
# segmentation-models-pytorch 0.6.0: MAnet's position attention puts what it says of positions into channels
#
# Packages   segmentation-models-pytorch==0.6.0, torch==2.13.0 (CPU), numpy==2.4.6
# Seen       The block of position attention, its convolutions set to pass their input on, and queries and keys
#            to 0, so that every voxel looks at all others alike. Channels of the image are 0, 1, 2, 3 everywhere,
#            so what a voxel hears in channel c is c (times 1/16, as all weights together sum to 1):
#              expected   channel 0: 0 0 0 0   channel 1: 1 1 1 1   channel 2: 2 2 2 2   channel 3: 3 3 3 3
#              seen       0 1 2 3 along x, in every channel
# Good guess The result, positions by channels, goes back to the image's layout by a transposition, as it came.
#            Wrong: it is reshaped to channels by rows by columns, so that channels of one voxel become columns
#            of an image. No error, since the number of values is right.
# Matters    MAnet trains in spite of it, and nobody sees why its attention brings so little. Weights that were
#            trained with it work only where the same is done; who writes the block anew after the paper gets
#            other outputs from the same weights, and counts of parameters cannot tell.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchvision==0.28.0 numpy==2.4.6 segmentation-models-pytorch==0.6.0
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


torch.library.register_fake = lenient  # nothing of torchvision is used here
from segmentation_models_pytorch.decoders.manet.decoder import PABBlock

CHANNELS, EDGE = 4, 4
block = PABBlock(CHANNELS, pab_channels=2).eval()
with torch.no_grad():
    for parameter in block.parameters():
        parameter.zero_()
    for convolution in (block.bottom_conv, block.out_conv):  # each passes its input on
        for channel in range(CHANNELS):
            convolution.weight[channel, channel, 1, 1] = 1.0
    image = torch.arange(float(CHANNELS))[None, :, None, None].expand(1, -1, EDGE, EDGE).clone()
    heard = (block(image) - image) * EDGE * EDGE
print("expected, first row of each channel:", [[c] * EDGE for c in range(CHANNELS)])
print("seen, first row of each channel:    ", heard[0, :, 0].round().int().tolist())
as_described = torch.allclose(heard, torch.arange(4.0).expand(1, CHANNELS, EDGE, EDGE), atol=1e-4)
raise SystemExit(None if as_described else "the behavior is not the one described")
EOF
