"""SegNet: the count of a reference, and what is put back where."""

import torch

from autoseg.networks.segnet import SegNet


def test_it_has_as_many_parameters_as_the_reference():
    # segnet of meetps/pytorch-semseg 801fb20, which is VGG-16 with batch norm: 3
    # channels in, 21 out, counted by building it. Its scores are normalized, too: a
    # scale and a shift for each, which ours have not.
    options = {
        "dim": 2,
        "features": [64, 128, 256, 512, 512, 512],
        "kernels": [[3, 3]] * 6,
        "strides": [[1, 1]] + [[2, 2]] * 5,
        "convs_encoder": [2, 2, 3, 3, 3, 0],
        "convs_decoder": [3, 3, 3, 2, 2],
        "norm": "batch",
        "act": "relu",
    }

    assert SegNet.drawing(options, (64, 64), 3, 21).parameters == 29_455_167 - 2 * 21


def test_the_way_up_is_zero_but_where_the_way_down_found_the_largest():
    options = {
        "dim": 2,
        "features": [1, 1],
        "kernels": [[1, 1], [1, 1]],
        "strides": [[1, 1], [2, 2]],
        "convs_encoder": [1, 1],
        "convs_decoder": [1],
        "norm": "none",
    }
    network = SegNet(1, {"a": 1}, **options).eval()
    image = torch.tensor([[1.0, 2, 8, 3], [4, 3, 1, 1], [5, 1, 1, 1], [1, 1, 1, 9]])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)

        output = network(image[None, None])["a"][0, 0]

    expected = torch.zeros(4, 4)
    expected[1, 0], expected[0, 2], expected[2, 0], expected[3, 3] = 4, 8, 5, 9
    assert torch.equal(output, expected)
