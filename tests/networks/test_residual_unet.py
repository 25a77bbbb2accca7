"""The residual U-Net has nnU-Net's structure and sizes."""

import pytest
import torch

from autoseg.networks.residual_unet import ResidualUNet


def _options(dim, stages, features=32, cap=320, blocks=(1, 3, 4, 6, 6, 6, 6, 6)):
    return {
        "dim": dim,
        "features": [min(cap, features * 2**s) for s in range(stages)],
        "kernels": [[3] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "blocks": list(blocks[:stages]),
        "convs_decoder": [1] * (stages - 1),
    }


def _seen(options):
    """Return what each layer of a new network is given, by its name."""
    network, seen = ResidualUNet(1, {"classes": 2}, **options), {}
    for name, module in network.named_modules():
        module.register_forward_pre_hook(
            lambda module, args, name=name: seen.setdefault(name, args[0].clone())
        )
    network(torch.randn(1, 1, 8, 8))
    return seen


@pytest.mark.parametrize(
    ("dim", "stages", "cap", "millions"), [(3, 6, 320, 102.4), (2, 8, 512, 140.0)]
)
def test_default_networks_have_as_many_parameters_as_nnunets(
    dim, stages, cap, millions
):
    # measured on nnU-Net's: patches of 128^3 and 512^2, three classes
    with torch.device("meta"):
        network = ResidualUNet(1, {"classes": 3}, **_options(dim, stages, cap=cap))

    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.005)


def test_names_of_parameters_are_nnunets():
    network = ResidualUNet(1, {"classes": 2}, **_options(2, 2, features=2))

    names = {name.rpartition(".")[0] for name in network.state_dict()}

    blocks = ["encoder.stem.convs.0", "decoder.stages.0.convs.0"]
    for s, count in enumerate((1, 3)):
        blocks += [
            f"encoder.stages.{s}.blocks.{b}.conv{i}"
            for b in range(count)
            for i in (1, 2)
        ]
    blocks.append("encoder.stages.1.blocks.0.skip.1")  # after the pool, skip.0
    expected = {f"{b}.{kind}" for b in blocks for kind in ("conv", "norm")}
    expected |= {"decoder.transpconvs.0", "decoder.seg_layers.0"}
    assert names == expected


def test_the_projection_of_a_short_cut_has_no_bias_and_comes_first_without_a_pool():
    options = _options(2, 2, features=2)
    options["strides"] = [[1, 1], [1, 1]]

    network = ResidualUNet(1, {"classes": 2}, **options)

    names = set(network.state_dict())
    assert "encoder.stages.1.blocks.0.skip.0.conv.weight" in names
    assert "encoder.stages.1.blocks.0.skip.0.conv.bias" not in names


def test_a_new_block_passes_on_what_its_short_cut_gives():
    seen = _seen(_options(2, 2, features=2))

    stem = seen["encoder.stages.0.blocks.0.conv1.conv"]  # what the block is given
    given = seen["encoder.stages.1.blocks.0.conv1.conv"]  # and what the next one is
    torch.testing.assert_close(given, torch.nn.functional.leaky_relu(stem, 0.01))


def test_a_strided_short_cut_averages():
    options = _options(2, 3, features=4, cap=4, blocks=(1, 1, 1))
    seen = _seen(options)

    x = seen["encoder.stages.1.blocks.0.conv1.conv"]  # same channels, stride 2
    means = x.reshape(1, 4, 4, 2, 4, 2).mean((3, 5))
    given = seen["encoder.stages.2.blocks.0.conv1.conv"]
    torch.testing.assert_close(given, torch.nn.functional.leaky_relu(means, 0.01))
