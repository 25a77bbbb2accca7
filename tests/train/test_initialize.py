"""Weights of another model are taken as far as they fit."""

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.networks import NETWORKS
from autoseg.train.initialize import hash_weights, initialize, read_weights
from autoseg.train.loop.checkpoint import save_weights

from .conftest import tiny_plan

OPTIONS = tiny_plan().configuration("3d_fullres").network.options


def network(channels=1, classes=3, seed=0, **changes):
    torch.manual_seed(seed)
    options = {**OPTIONS, **changes}
    return NETWORKS["plain_unet"](channels, {"classes": classes}, True, **options)


def test_equal_networks_become_equal():
    source, target = network(seed=1), network(seed=2)

    report = initialize(target, source.state_dict(), "there")

    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])
    assert not report["new"] and not report["adapted"]


def test_other_classes_keep_their_own_heads():
    source, target = network(classes=3, seed=1), network(classes=5, seed=2)
    before = {k: v.clone() for k, v in target.state_dict().items()}

    report = initialize(target, source.state_dict(), "there")

    assert report["new"] and all("seg_layers" in name for name in report["new"])
    for name in report["new"]:
        assert torch.equal(target.state_dict()[name], before[name])


def test_more_image_channels_that_are_alike_give_the_same_features():
    source, target = network(channels=1, seed=1), network(channels=3, seed=2)
    image = torch.randn(1, 1, 8, 8, 8)

    report = initialize(target, source.state_dict(), "there")
    alike = target(image.expand(-1, 3, -1, -1, -1))["classes"][0]

    assert len(report["adapted"]) == 1
    torch.testing.assert_close(alike, source(image)["classes"][0])


def test_another_architecture_is_refused():
    source = network(features=[6, 12, 12], seed=1)

    with pytest.raises(TrainingError, match="another architecture"):
        initialize(network(), source.state_dict(), "there")


def test_a_checkpoint_file_is_read_and_its_hash_tells_weights_apart(tmp_path):
    source = network(seed=1)
    path = tmp_path / "checkpoint_best.pt"
    save_weights(path, source.state_dict(), tiny_plan(), "3d_fullres", "0")

    found = read_weights(path)

    assert hash_weights(found) == hash_weights(source.state_dict())
    assert hash_weights(found) != hash_weights(network(seed=2).state_dict())
