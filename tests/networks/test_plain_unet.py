"""The plain U-Net has nnU-Net's structure and sizes."""

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks.plain_unet import PlainUNet


def _options(dim, stages, features=32, cap=320):
    return {
        "dim": dim,
        "features": [min(cap, features * 2**s) for s in range(stages)],
        "kernels": [[3] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "convs_encoder": [2] * stages,
        "convs_decoder": [2] * (stages - 1),
    }


def _parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_it_has_as_many_parameters_as_nnunets():
    # A convolution has c_in * c_out * 27 + c_out, its norm 2 * c_out; a transposed one
    # c_in * c_out * 8 + c_out; a head 2 * c + 2. Features 4 and 8, one input channel:
    first = (1 * 4 * 27 + 4 + 8) + (4 * 4 * 27 + 4 + 8)
    second = (4 * 8 * 27 + 8 + 16) + (8 * 8 * 27 + 8 + 16)
    up = 8 * 4 * 8 + 4
    decoder = (8 * 4 * 27 + 4 + 8) + (4 * 4 * 27 + 4 + 8)
    head = 4 * 2 + 2

    network = PlainUNet(1, {"classes": 2}, **_options(3, 2, features=4))

    assert _parameters(network) == first + second + up + decoder + head


def test_the_default_network_of_a_128_cube_has_31_2_million_parameters():
    # measured on nnU-Net's: six stages, three classes
    with torch.device("meta"):
        network = PlainUNet(1, {"classes": 3}, **_options(3, 6))

    assert _parameters(network) / 1e6 == pytest.approx(31.2, abs=0.05)


def test_names_of_parameters_are_nnunets():
    network = PlainUNet(1, {"classes": 2}, **_options(2, 2, features=2))

    def layer(name, *parts):
        return {
            f"{name}.{part}.{kind}" for part in parts for kind in ("weight", "bias")
        }

    stages = [f"encoder.stages.{s}.0.convs.{j}" for s in (0, 1) for j in (0, 1)]
    stages += [f"decoder.stages.0.convs.{j}" for j in (0, 1)]
    expected = set().union(*(layer(stage, "conv", "norm") for stage in stages))
    expected |= layer("decoder.transpconvs", "0") | layer("decoder.seg_layers", "0")
    assert set(network.state_dict()) == expected


def test_a_stage_uses_its_own_kernel_and_stride_and_the_decoder_that_of_the_skip():
    options = _options(3, 2, features=2)
    options["kernels"] = [[1, 3, 3], [3, 3, 3]]
    options["strides"] = [[1, 1, 1], [1, 2, 2]]

    network = PlainUNet(1, {"classes": 2}, **options)

    first, second = network.encoder.stages
    assert first[0].convs[0].conv.kernel_size == (1, 3, 3)
    assert second[0].convs[0].conv.stride == (1, 2, 2)
    assert second[0].convs[1].conv.stride == (1, 1, 1)
    assert network.decoder.transpconvs[0].kernel_size == (1, 2, 2)
    assert network.decoder.stages[0].convs[0].conv.kernel_size == (1, 3, 3)


def test_the_decoder_puts_upsampled_features_before_those_of_the_encoder():
    network = PlainUNet(1, {"classes": 2}, **_options(2, 2, features=2))
    seen = {}
    network.decoder.transpconvs[0].register_forward_hook(
        lambda *args: seen.update(up=args[-1])
    )
    network.decoder.stages[0].convs[0].conv.register_forward_pre_hook(
        lambda module, args: seen.update(joined=args[0])
    )

    network(torch.randn(1, 1, 4, 4))

    torch.testing.assert_close(seen["joined"][:, :2], seen["up"])


def test_weights_start_with_the_spread_of_he_and_biases_at_zero():
    torch.manual_seed(0)

    network = PlainUNet(1, {"classes": 2}, **_options(3, 3, features=16))

    conv = network.encoder.stages[1][0].convs[1].conv
    # variance 2 / (1 + slope^2) / fan-in, fan-in 32 channels * 27 voxels
    expected = (2 / (1 + 0.01**2) / (32 * 27)) ** 0.5
    assert conv.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert not conv.bias.any()


def test_batch_normalization_and_no_bias_can_be_asked_for():
    network = PlainUNet(
        1, {"classes": 2}, norm="batch", bias=False, **_options(2, 2, features=2)
    )

    block = network.encoder.stages[0][0].convs[0]
    assert isinstance(block.norm, torch.nn.BatchNorm2d)
    assert block.conv.bias is None
    assert network.decoder.transpconvs[0].bias is None
    assert network.decoder.seg_layers[0].bias is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": [[3, 3]]}, "kernels has 1 entries instead of 2"),
        ({"convs_decoder": [2, 2]}, "convs_decoder has 2 entries instead of 1"),
        ({"strides": [[2, 2], [2, 2]]}, "instead of ones"),
        ({"strides": [[1, 1], [2, 2, 2]]}, "not one of 2 axes"),
        ({"dim": 4}, "dim: 2 or 3, got 4"),
        ({"norm": "layer"}, "none, got 'layer'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(change, message):
    with pytest.raises(PlanError, match=message):
        PlainUNet(1, {"classes": 2}, **(_options(2, 2) | change))


def test_deep_supervision_has_an_output_for_each_stage_but_the_deepest():
    network = PlainUNet(1, {"classes": 2}, True, **_options(2, 4, features=2))

    outputs = network(torch.zeros(1, 1, 16, 16))["classes"]

    assert [out.shape[-1] for out in outputs] == [16, 8, 4]
