"""What every network must do, whoever wrote it."""

import json

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks import NETWORKS
from autoseg.networks.base import Network

HEADS = {"classes": 3, "distance": 1}


@pytest.fixture(params=NETWORKS.names())
def kind(request):
    return NETWORKS[request.param]


@pytest.fixture(params=[2, 3])
def dim(request):
    return request.param


def _make(kind, dim, channels=2, deep_supervision=False, seed=0):
    torch.manual_seed(seed)
    options, shape = kind.example(dim)
    network = kind(channels, HEADS, deep_supervision, **options)
    return network, torch.randn(2, channels, *shape)


def test_its_options_survive_a_plan(kind, dim):
    options, _ = kind.example(dim)

    assert json.loads(json.dumps(options)) == options
    assert issubclass(kind, Network)


@pytest.mark.parametrize("channels", [1, 4])
def test_every_head_has_the_resolution_of_the_image(kind, dim, channels):
    network, image = _make(kind, dim, channels)

    outputs = network(image)

    assert {name: tuple(out.shape) for name, out in outputs.items()} == {
        name: (2, count, *image.shape[2:]) for name, count in HEADS.items()
    }


def test_deep_supervision_gives_coarser_and_coarser_outputs(kind, dim):
    network, image = _make(kind, dim, deep_supervision=True)

    outputs = network(image)

    assert list(outputs) == list(HEADS)
    for name, levels in outputs.items():
        shapes = [tuple(level.shape[2:]) for level in levels]
        assert shapes[0] == tuple(image.shape[2:])
        for fine, coarse in zip(shapes, shapes[1:], strict=False):
            assert coarse != fine
            assert all(a % b == 0 for a, b in zip(fine, coarse, strict=True))
        assert {level.shape[1] for level in levels} == {HEADS[name]}


def test_deep_supervision_can_be_switched_and_changes_no_output(kind, dim):
    network, image = _make(kind, dim, deep_supervision=True)
    network.eval()

    with torch.no_grad():
        finest = {name: levels[0] for name, levels in network(image).items()}
        network.deep_supervision = False
        single = network(image)

    for name in HEADS:
        torch.testing.assert_close(single[name], finest[name], rtol=0, atol=0)


def test_every_parameter_learns(kind, dim):
    network, image = _make(kind, dim, deep_supervision=True)
    with torch.no_grad():  # a new residual block ignores its own convolutions
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))

    outputs = network(image)
    sum(level.pow(2).sum() for out in outputs.values() for level in out).backward()

    # A bias in front of a normalization over the same voxels has no effect at all.
    silent = [
        name
        for name, p in network.named_parameters()
        if not name.endswith("conv.bias") and (p.grad is None or not p.grad.abs().any())
    ]
    assert not silent


def test_each_channel_of_the_image_matters(kind, dim):
    network, image = _make(kind, dim, channels=2)
    network.eval()
    changed = image.clone()
    changed[:, 1] += torch.randn_like(changed[:, 1])

    with torch.no_grad():
        before, after = network(image), network(changed)

    for name in HEADS:
        assert not torch.equal(before[name], after[name])


def test_its_state_can_be_saved_and_loaded(kind, dim, tmp_path):
    network, image = _make(kind, dim, seed=0)
    other, _ = _make(kind, dim, seed=1)
    torch.save(network.state_dict(), tmp_path / "weights.pt")

    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))

    network.eval(), other.eval()
    with torch.no_grad():
        for name in HEADS:
            torch.testing.assert_close(
                other(image)[name], network(image)[name], rtol=0, atol=0
            )


def test_the_same_seed_gives_the_same_weights(kind, dim):
    first, second = _make(kind, dim, seed=3)[0], _make(kind, dim, seed=3)[0]

    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_samples_of_a_batch_do_not_mix_when_it_predicts(kind, dim):
    network, image = _make(kind, dim)
    network.eval()

    with torch.no_grad():
        together = network(image)
        alone = network(image[1:])

    for name in HEADS:
        torch.testing.assert_close(together[name][1:], alone[name])


def test_an_image_that_cannot_be_divided_is_refused_with_the_divisor(kind, dim):
    network, image = _make(kind, dim)

    with pytest.raises(PlanError, match="multiple of"):
        network(image[..., :-1])
