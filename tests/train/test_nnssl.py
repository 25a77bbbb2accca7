"""Checkpoints as nnssl writes them, of a residual U-Net, are starts."""

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.networks import NETWORKS
from autoseg.train.start.initialize import initialize
from autoseg.train.start.origin import read_origin

STAGES = ([4, 8, 8], [4, 8, 8, 8])


def network(features, channels=1, outputs=2, seed=0, name="residual_unet"):
    """Return a small network of as many stages as there are features."""
    torch.manual_seed(seed)
    count, own = len(features), {"blocks": [1] * len(features)}
    if name == "plain_unet":
        own = {"convs_encoder": [1] * count}
    return NETWORKS[name](
        channels,
        {"classes": outputs},
        False,
        dim=3,
        features=features,
        kernels=[[3, 3, 3]] * count,
        strides=[[1, 1, 1], *[[2, 2, 2]] * (count - 1)],
        convs_decoder=[1] * (count - 1),
        **own,
    )


def checkpoint(path, weights, encoder="encoder", **more):
    """Write what nnssl's finished checkpoints hold: weights twice, and a plan."""
    twice = {}
    for name, tensor in weights.items():
        name = name.replace("encoder.", f"{encoder}.", 1)
        twice[name] = tensor
        if ".conv." in name:
            twice[name.replace(".conv.", ".all_modules.0.")] = tensor
    plan = {
        "architecture_plans": {"arch_class_name": "ResEncL", "arch_kwargs": None},
        "pretrain_plan": {"configurations": {"onemmiso": {"patch_size": [16] * 3}}},
        "pretrain_num_input_channels": 1,
        "key_to_encoder": f"{encoder}.stages",
        "key_to_stem": f"{encoder}.stem",
        "keys_to_in_proj": [f"{encoder}.stem.convs.0.conv"],
        "key_to_lpe": None,
        "recommended_downstream_patchsize": [160] * 3,
        **more,
    }
    torch.save({"network_weights": twice, "nnssl_adaptation_plan": plan}, path)
    return path


@pytest.mark.parametrize("encoder", ["encoder", "online_encoder"])
def test_the_encoder_is_taken_from_where_the_plan_says_and_heads_are_not(
    tmp_path, encoder
):
    source = network(STAGES[0], outputs=1, seed=1)
    weights = source.state_dict()
    if encoder != "encoder":  # contrastive methods have no decoder, but more encoders
        weights = {k: v for k, v in weights.items() if k.startswith("encoder.")}
    path = checkpoint(tmp_path / "checkpoint_final.pth", weights, encoder)
    # One output, as for what was learnt to be filled in, and two image channels.
    target = network(STAGES[0], channels=2, outputs=1, seed=2)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}

    report = initialize(target, read_origin(path), "there")

    found, given = target.state_dict(), source.state_dict()
    for name, tensor in found.items():
        new = "seg_layers" in name or (name not in weights)
        if name in report["adapted"]:
            torch.testing.assert_close(tensor.sum(1), given[name].sum(1))
        else:
            assert torch.equal(tensor, before[name] if new else given[name])
    assert report["adapted"] == [n for n in found if "stem" in n and "conv.weight" in n]
    assert {n for n in report["new"] if not n.startswith("decoder.")} == set()


@pytest.mark.parametrize("deeper", [True, False])
def test_of_another_depth_the_finest_stages_are_taken(tmp_path, deeper):
    few, many = STAGES
    source = network(few if deeper else many, seed=1)
    path = checkpoint(tmp_path / "checkpoint_final.pth", source.state_dict())
    target = network(many if deeper else few, seed=2)

    report = initialize(target, read_origin(path), "there")

    ours, theirs = target.state_dict(), source.state_dict()
    assert torch.equal(
        ours["encoder.stages.2.blocks.0.conv1.conv.weight"],
        theirs["encoder.stages.2.blocks.0.conv1.conv.weight"],
    )
    last = "decoder.stages.{}.convs.0.conv.weight"
    one, two = (2, 1) if deeper else (1, 2)
    assert torch.equal(ours[last.format(one)], theirs[last.format(two)])
    assert any(n.startswith("encoder.stages.3.") for n in report["new"]) == deeper
    assert any(n.startswith("decoder.stages.0.") for n in report["new"]) == deeper


def test_another_network_is_refused_with_the_one_that_fits(tmp_path):
    weights = network(STAGES[0]).state_dict()
    path = checkpoint(tmp_path / "checkpoint_final.pth", weights)

    with pytest.raises(TrainingError, match="--network residual_unet"):
        initialize(network(STAGES[0], name="plain_unet"), read_origin(path), "there")


def test_a_plain_u_net_has_its_stem_in_the_first_stage(tmp_path):
    source = network(STAGES[0], name="plain_unet", seed=1)
    keys = {"key_to_stem": "encoder.stages.0"}
    path = checkpoint(tmp_path / "a.pth", source.state_dict(), **keys)
    target = network(STAGES[0], name="plain_unet", seed=2)

    report = initialize(target, read_origin(path), "there")

    assert report["new"] and all("seg_layers" in name for name in report["new"])


def test_a_plan_that_says_nothing_of_use_is_no_traceback(tmp_path):
    weights = network(STAGES[0]).state_dict()
    keys = {"key_to_encoder": None, "key_to_stem": 3}
    path = checkpoint(tmp_path / "a.pth", weights, **keys)

    report = initialize(network(STAGES[0], seed=2), read_origin(path), "there")

    assert report["new"] and all("seg_layers" in name for name in report["new"])
