"""PSPNet: counts of a reference, and pools of small patches."""

import pytest
import torch

from autoseg.networks.pspnet import PSPNet

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"),
    [
        # Its encoders have two stages more, which its outputs do not reach.
        ("resnet34", 21_442_594 - 19_936_768),
        ("resnet50", 24_305_602 - 22_063_104),
    ],
)
def test_it_has_as_many_parameters_that_learn_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    chosen = options(3, 3, encoder=encoder)

    assert PSPNet.drawing(chosen, (128, 128), 3, 2).parameters == count


def test_a_module_pools_larger_images_than_it_was_drawn_for():
    example, shape = PSPNet.example(2)
    network = PSPNet(1, {"classes": 2}, **(example | {"pools": [6]}))
    grids = []
    conv = network.get_submodule("decoder.pools.0.conv")
    conv.register_forward_hook(lambda m, args, out: grids.append(out.shape[2:]))

    for edge in (16, 32):
        network(torch.zeros(2, 1, edge, edge))

    # An edge is a fourth of the image's, and of the pool's grid at most 6.
    assert [tuple(g) for g in grids] == [
        (min(6, e // 2), min(6, e // 4)) for e in (16, 32)
    ]
