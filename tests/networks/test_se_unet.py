"""A U-Net with squeeze and excitation: what gates cost, and what they do."""

import pytest
import torch

from autoseg.networks.plain_unet import PlainUNet
from autoseg.networks.se_unet import SEUNet

from .unets import options

FEATURES = [32, 64, 128, 256, 512]


def test_gates_cost_what_they_cost_the_reference():
    # ResidualUNetSE3D less ResidualUNet3D of wolny/pytorch-3dunet a33e2c7, both counted
    # by building them: gates of channels and voxels, which reduce nothing inside.
    chosen = options(3, FEATURES)

    gated = SEUNet.drawing(chosen | {"reduction": 1}, (32, 32, 32), 1, 2)
    plain = PlainUNet.drawing(chosen, (32, 32, 32), 1, 2)

    assert gated.parameters - plain.parameters == 29_314_187 - 28_437_314


@pytest.mark.parametrize("dim", [2, 3])
def test_closed_gates_let_nothing_through(dim):
    example, shape = SEUNet.example(dim)
    network = SEUNet(1, {"classes": 2}, **example | {"attention": "se"}).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "excite" in name:  # a gate of sigmoid(-100)
                parameter.fill_(0.0 if name.endswith("weight") else -100.0)
        image = torch.randn(1, 1, *shape)
        first, second = network(image)["classes"], network(2 * image)["classes"]

    torch.testing.assert_close(first, second)
