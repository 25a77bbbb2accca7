"""UNet 3+: the count of its authors' network, and what a level sees."""

import torch

from autoseg.networks.unet3p import UNet3Plus

from .unets import options

FEATURES = [64, 128, 256, 512, 1024]


def test_it_has_as_many_parameters_as_the_authors():
    # UNet_3Plus_DeepSup of ZJUGiveLab/UNet-Version 8ecd067, 3 channels in, 1 out,
    # counted by building it; without supervision four heads of 3 x 3 are fewer.
    drawing = UNet3Plus.drawing(options(2, FEATURES, decoder=1), (64, 64), 3, 1)

    assert drawing.parameters == 26_989_637
    assert drawing.parameters - (9 * 1024 + 1) - 3 * (9 * 320 + 1) == 26_971_777


def test_each_level_sees_all_resolutions_in_its_own():
    drawing = UNet3Plus.drawing(options(2, FEATURES, decoder=1), (64, 64), 3, 1)
    named = {layer.name: layer for layer in drawing.layers if layer.name}

    for level in range(4):
        seen = [named[f"decoder.stages.{level}.of.{n}.conv"] for n in range(5)]
        shapes = {drawing.tensors[layer.outputs[0]].shape for layer in seen}
        assert shapes == {(8 * 2**level,) * 2}


def test_a_class_that_the_bottom_does_not_see_is_nowhere():
    plain, shape = UNet3Plus.example(2)
    network = UNet3Plus(1, {"classes": 2}, True, **plain, guide=True).eval()
    bottom = plain["features"][-1]
    count = UNet3Plus.drawing(plain, shape, 1, 2).parameters
    with torch.no_grad():
        network.get_submodule("guide").bias[1] = -1e4

        outputs = network(torch.randn(1, 1, *shape))["classes"]

    assert sum(p.numel() for p in network.parameters()) == count + 2 * (bottom + 1)
    assert all(not output[:, 1].any() and output[:, 0].any() for output in outputs)
