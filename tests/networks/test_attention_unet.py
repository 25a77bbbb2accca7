"""Attention U-Net: counts of two references, and what a gate does."""

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks.attention_unet import AttentionUNet
from autoseg.networks.plain_unet import PlainUNet

FIXED = {"norm": "batch", "act": "relu", "down": "max_pool"}


def _options(dim, features, **more):
    stages = len(features)
    return {
        "dim": dim,
        "features": features,
        "kernels": [[3] * dim] * stages,
        "strides": [[1] * dim] + [[2] * dim] * (stages - 1),
        "convs_encoder": [2] * stages,
        "convs_decoder": [2] * (stages - 1),
        **FIXED,
        **more,
    }


def test_it_has_as_many_parameters_as_leejunhyuns():
    # AttU_Net and U_Net of LeeJunHyun/Image_Segmentation 5e9da93, counted by building
    # them: 3 channels in, 1 out. Theirs have one head; ours have three more, 1x1 on
    # 512, 256 and 128 channels with a bias.
    heads = 512 + 256 + 128 + 3
    options = _options(2, [64, 128, 256, 512, 1024], up="nearest")

    gated = AttentionUNet.drawing(options, (64, 64), 3, 1)
    plain = PlainUNet.drawing(options, (64, 64), 3, 1)

    assert gated.parameters == 34_878_573 + heads
    assert plain.parameters == 34_527_041 + heads


def test_it_has_as_many_parameters_as_the_authors():
    # unet_CT_single_att_dsv and unet_CT_d of ozan-oktay/Attention-Gated-Networks
    # eee4881, counted by building them: 1 channel in, 4 out.
    options = _options(3, [16, 32, 64, 128, 256], up="linear", supervision="fused")

    gated = AttentionUNet.drawing(options | {"gate": "official"}, (64, 64, 32), 1, 4)
    plain = PlainUNet.drawing(options, (64, 64, 32), 1, 4)

    assert gated.parameters == 6_214_151
    assert plain.parameters == 5_888_004


def test_a_closed_gate_lets_nothing_of_a_skip_through():
    options, shape = AttentionUNet.example(2)
    network = AttentionUNet(1, {"classes": 2}, **options).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "skips" in name and "attention.norm" in name:  # a gate of sigmoid(-50)
                parameter.fill_(0.0 if name.endswith("weight") else -50.0)
    seen = []
    for name, module in network.named_modules():
        if name.startswith("decoder.stages.") and name.endswith("convs.0.conv"):
            module.register_forward_pre_hook(lambda m, args: seen.append(args[0]))

    network(torch.randn(1, 1, *shape))

    assert len(seen) == 2
    for joined in seen:
        half = joined.shape[1] // 2
        assert joined[:, half:].abs().max() < 1e-15
        assert joined[:, :half].abs().max() > 1e-3


def test_a_gate_that_is_not_known_is_refused():
    options, shape = AttentionUNet.example(2)

    with pytest.raises(PlanError, match="gate: one of lee, official, got 'mine'"):
        AttentionUNet.drawing(options | {"gate": "mine"}, shape, 1, 2)
