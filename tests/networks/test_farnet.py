"""FARNet: the count of its authors, and its coarse maps."""

import torch

from autoseg.networks.farnet import FARNet

from .encoded import options


def test_it_has_as_many_parameters_as_its_authors():
    # JuvenileInWind/FARNet 2de55df, 3 channels in, 19 maps out, counted by building it;
    # 17,858,468 of the reference's never get a gradient and are not drawn.
    chosen = options(5, encoder="densenet121", width=256)

    drawing = FARNet.drawing(chosen, (128, 128), 3, 19)

    assert drawing.parameters == 79_077_431 - 17_858_468


def test_maps_of_half_the_resolution_are_an_output_and_help_the_finest():
    example, shape = FARNet.example(2)
    network = FARNet(1, {"points": 2}, True, **example).eval()
    image = torch.randn(1, 1, *shape)

    with torch.no_grad():
        fine, coarse = network(image)["points"]
        network.get_submodule("decoder.coarse.maps").bias.fill_(5.0)
        other, _ = network(image)["points"]

    assert fine.shape[2:] == shape and coarse.shape[2:] == (shape[0], shape[1] // 2)
    assert not torch.allclose(fine, other)
