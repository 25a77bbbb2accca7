"""Weights of another model are taken as far as they fit."""

import pytest
import torch

from autoseg.errors import TrainingError, UsageError
from autoseg.networks import NETWORKS
from autoseg.train.assemble import freeze
from autoseg.train.loop.checkpoint import save_weights
from autoseg.train.start.initialize import hash_weights, initialize, read_weights
from autoseg.train.start.origin import Origin, read_origin

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


def of_channels(network):
    """Return the kernels that see the image, (K, C, *S)."""
    return next(t for t in network.state_dict().values() if t.dim() > 2)


def test_image_channels_are_taken_by_their_names():
    source, target = network(channels=2, seed=1), network(channels=3, seed=2)
    origin = Origin(source.state_dict(), channels=("T1", "T2"))

    initialize(target, origin, "there", channels=("T2", "FLAIR", "T1"))

    theirs, ours = of_channels(source), of_channels(target)
    assert torch.equal(ours[:, 0], theirs[:, 1]) and torch.equal(
        ours[:, 2], theirs[:, 0]
    )
    torch.testing.assert_close(ours[:, 1], theirs.mean(1))


def test_classes_are_taken_by_their_names():
    source, target = network(classes=3, seed=1), network(classes=4, seed=2)
    before = {k: v.clone() for k, v in target.state_dict().items()}
    origin = Origin(source.state_dict(), outputs=("background", "liver", "tumor"))

    report = initialize(
        target, origin, "there", outputs=("background", "spleen", "tumor", "vein")
    )

    last = [name for name in before if "seg_layers" in name]
    assert not report["new"] and set(last) <= set(report["adapted"])
    for name in last:
        theirs, ours = source.state_dict()[name], target.state_dict()[name]
        assert torch.equal(ours[[0, 2]], theirs[[0, 2]])
        assert torch.equal(ours[[1, 3]], before[name][[1, 3]])


def test_as_many_classes_of_other_names_start_anew():
    source, target = network(seed=1), network(seed=2)
    origin = Origin(source.state_dict(), outputs=("a", "b", "c"))

    report = initialize(target, origin, "there", outputs=("d", "e", "f"))

    assert report["new"] and all("seg_layers" in name for name in report["new"])


def test_flat_kernels_see_the_same_where_nothing_changes_along_the_axis():
    flat = {"kernels": [[1, 3, 3]] * 3}
    image = torch.randn(1, 1, 1, 8, 8).expand(1, 1, 8, 8, 8)
    for one, other in (({}, flat), (flat, {})):
        source, target = network(seed=1, **one), network(seed=2, **other)

        report = initialize(target, source.state_dict(), "there")

        assert report["adapted"] and not report["new"]
        inside = (..., 4, slice(2, 6), slice(2, 6))  # away from the zeros around
        found = [
            torch.nn.functional.conv3d(image, of_channels(one), padding="same")[inside]
            for one in (source, target)
        ]
        torch.testing.assert_close(*found)


def test_a_checkpoint_of_nnunet_is_read_without_running_anything(tmp_path):
    source = network(seed=1).state_dict()
    path = tmp_path / "checkpoint_final.pth"
    twice = {f"module.{k}": v for k, v in source.items()}
    twice["decoder.encoder.stages.0.weight"] = torch.zeros(1)
    torch.save({"network_weights": twice, "current_epoch": 3}, path)

    found = read_origin(path).weights

    assert found.keys() == source.keys()
    assert all(torch.equal(found[k], source[k]) for k in source)


def test_a_checkpoint_of_ours_says_what_its_channels_and_classes_are(tmp_path):
    path = tmp_path / "checkpoint_best.pt"
    weights = network(seed=1).state_dict()
    save_weights(path, weights, tiny_plan(), "3d_fullres", "0")

    found = read_origin(path)

    assert found.channels == ("MR",)
    assert found.outputs == ("background", "one", "two")


def test_a_frozen_encoder_gets_no_gradient_and_another_part_is_refused():
    made = network()

    freeze(made, "encoder")

    learning = {n for n, p in made.named_parameters() if p.requires_grad}
    assert learning and not any(name.startswith("encoder.") for name in learning)
    with pytest.raises(UsageError, match="no part of that name"):
        freeze(network(), "neck")
