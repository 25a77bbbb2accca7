"""U-Net++: counts of two references, and its outputs."""

import pytest
import torch

from autoseg.errors import UsageError
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


SMALL = {
    "dim": 2,
    "features": [2, 3, 4, 5],
    "kernels": [[3, 3]] * 4,
    "strides": [[1, 1]] + [[2, 2]] * 3,
    "convs_encoder": [1] * 4,
    "convs_decoder": [1] * 3,
}


def _cut(options, depth):
    """Options of the network that ends at a depth."""
    more = {"convs_decoder": depth}
    return {
        name: value[: more.get(name, depth + 1)] if isinstance(value, list) else value
        for name, value in options.items()
    }


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_pruned_it_is_the_network_that_was_cut_there(depth):
    whole = UNetPlusPlus(1, {"classes": 2}, **SMALL).eval()
    cut = UNetPlusPlus(1, {"classes": 2}, **_cut(SMALL, depth)).eval()
    cut.load_state_dict({name: whole.state_dict()[name] for name in cut.state_dict()})
    image = torch.randn(2, 1, 16, 16)

    whole.prune(str(depth))
    ran = []
    for module in whole.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda m, args, out: ran.append(m))
    with torch.no_grad():
        output = whole(image)["classes"]

        assert torch.equal(output, cut(image)["classes"])
    # Nothing is computed that the cut network has not.
    assert len(ran) == sum(isinstance(m, torch.nn.Conv2d) for m in cut.modules()) - (
        depth - 1  # heads of other depths
    )


def test_the_mean_is_that_of_all_outputs():
    network = UNetPlusPlus(1, {"classes": 2}, True, **SMALL).eval()
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        outputs = network(image)["classes"]
        network.deep_supervision = False
        network.prune("mean")
        mean = network(image)["classes"]

    torch.testing.assert_close(mean, sum(outputs) / 3)


def test_a_depth_that_is_not_there_is_refused():
    network = UNetPlusPlus(1, {"classes": 2}, **SMALL)

    with pytest.raises(UsageError, match="depths 1, 2, 3; give one of them, or mean"):
        network.prune("4")
