"""FCN: counts of a reference, and scores that are added."""

import pytest
import torch

from autoseg.networks.fcn import FCN

VGG = {
    "dim": 2,
    "features": [64, 128, 256, 512, 512],
    "kernels": [[3, 3]] * 5,
    "strides": [[1, 1]] + [[2, 2]] * 5,
    "convs_encoder": [2, 2, 3, 3, 3],
    "wide": 4096,
    "norm": "none",
    "act": "relu",
}


@pytest.mark.parametrize(("scores", "count"), [(1, 134_346_581), (2, 134_357_354)])
def test_it_has_as_many_parameters_as_the_reference(scores, count):
    # fcn32s and fcn16s of meetps/pytorch-semseg 801fb20, 3 channels in, 21 out, counted
    # by building them.
    drawing = FCN.drawing(VGG | {"scores": scores}, (64, 64), 3, 21)

    assert drawing.parameters == count


def test_scores_of_all_resolutions_are_added():
    example, shape = FCN.example(2)
    network = FCN(1, {"classes": 1}, **example).eval()
    with torch.no_grad():
        for number, bias in enumerate((1.0, 20.0)):
            layer = network.get_submodule(f"decoder.said.{number}")
            layer.weight.zero_()
            layer.bias.fill_(bias)

        output = network(torch.zeros(1, 1, *shape))["classes"]

    torch.testing.assert_close(output, torch.full((1, 1, *shape), 21.0))
