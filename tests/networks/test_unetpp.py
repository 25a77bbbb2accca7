"""U-Net++: counts of two references, and its outputs."""

import torch

from autoseg.networks.unetpp import UNetPlusPlus

FEATURES = [32, 64, 128, 256, 512]


def _options(**more):
    return {
        "dim": 2,
        "features": FEATURES,
        "kernels": [[3, 3]] * 5,
        "strides": [[1, 1]] + [[2, 2]] * 4,
        "convs_encoder": [2] * 5,
        "convs_decoder": [2] * 4,
        "down": "max_pool",
        **more,
    }


def test_it_has_as_many_parameters_as_its_references():
    # With deep supervision, counted by building them: the authors' Keras network of
    # MrGiovanni/UNetPlusPlus 2659ddc (1 channel, no norm), and NestedUNet of
    # 4uiiurz1/pytorch-nested-unet 557ea02 (3 channels, batch norm, interpolation).
    official = _options(norm="none", act="elu")
    nested = _options(norm="batch", act="relu", up="linear")

    assert UNetPlusPlus.drawing(official, (96, 96), 1, 1).parameters == 9_041_700
    assert UNetPlusPlus.drawing(nested, (64, 64), 3, 1).parameters == 9_163_428


def test_all_its_outputs_have_the_size_of_the_image():
    options, shape = UNetPlusPlus.example(3)
    network = UNetPlusPlus(1, {"classes": 2}, True, **options)

    outputs = network(torch.zeros(1, 1, *shape))["classes"]

    assert [tuple(output.shape) for output in outputs] == [(1, 2, *shape)] * 2


def test_the_last_node_is_the_finest_output():
    options, shape = UNetPlusPlus.example(2)
    network = UNetPlusPlus(1, {"classes": 2}, **options).eval()
    with torch.no_grad():
        for level, bias in enumerate((1.0, 2.0)):
            layer = network.get_submodule(f"decoder.seg_layers.{level}")
            layer.weight.zero_()
            layer.bias.fill_(bias)

        output = network(torch.zeros(1, 1, *shape))["classes"]

    assert torch.equal(output, torch.full_like(output, 2.0))
