"""LightM-UNet at the widths of its authors."""

import pytest

from autoseg.networks.lightm_unet import LightMUNet

# github:MrBlankness/LightM-UNet@6b72e27, 32 filters, 1 channel, 2 classes.
REFERENCE = {2: 5_011_683, 3: 5_015_733}


@pytest.mark.parametrize("dim", [2, 3])
def test_it_has_its_authors_parameters(dim):
    options = {
        "dim": dim,
        "features": [32, 64, 128, 256],
        "kernels": [[3] * dim] * 4,
        "strides": [[1] * dim] + [[2] * dim] * 3,
        "blocks": [1, 2, 2, 4],
        "convs_decoder": [1, 1, 1],
    }

    drawing = LightMUNet.drawing(options, (16,) * dim, 1, 2)

    assert drawing.parameters == REFERENCE[dim]
