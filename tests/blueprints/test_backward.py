"""What is made again in the backward pass has the numbers that would have been kept."""

import pytest
import torch

from autoseg.blueprints.backward import made_again
from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules import _again
from autoseg.networks import NETWORKS
from autoseg.networks.onednn import prefer_onednn
from planners.network import is_declared

DECLARED = [name for name in NETWORKS.names() if is_declared(name)]


def gradients(made, image, recompute, precision=None):
    """Gradients of the weights, of a sum that tells all levels and voxels apart."""
    made.recompute = recompute
    made.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=precision, enabled=precision is not None):
        levels = made(image)["classes"]
    weights = [torch.linspace(-1, 2, x.numel()).view(x.shape).to(x) for x in levels]
    sum((x * w).sum() for x, w in zip(levels, weights, strict=True)).backward()
    return [p.grad for p in made.parameters() if p.grad is not None]


def network(name, dim, **options):
    torch.manual_seed(0)
    given, shape = NETWORKS[name].example(dim)
    made = NETWORKS[name](2, {"classes": 3}, True, **{**given, **options})
    return made, torch.randn(2, 2, *shape)


@pytest.fixture
def made(monkeypatch):
    """How often something was made again."""
    calls = []
    before = _again.Keeper._value

    def counted(self, again, last):
        calls.append(again.number)
        return before(self, again, last)

    monkeypatch.setattr(_again.Keeper, "_value", counted)
    return calls


@pytest.mark.parametrize("name", DECLARED)
def test_gradients_are_those_of_what_is_kept(name, made):
    net, image = network(name, 2)
    net, image = net.double(), image.double()

    kept = gradients(net, image, recompute=False)
    assert not made
    again = gradients(net, image, recompute=True)

    assert made
    for a, b in zip(again, kept, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "batch"},
        {"norm": "group", "act": "gelu"},
        {"norm": "none"},
        {"act": "prelu", "up": "nearest"},
        {"act": "silu", "up": "linear", "down": "max_pool"},
        {"act": "relu", "affine": False},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_gradients_with_other_layers(options):
    net, image = network("plain_unet", 2, **options)

    kept = gradients(net, image, recompute=False)
    again = gradients(net, image, recompute=True)

    for a, b in zip(again, kept, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("precision", [None, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
def test_gradients_of_training_on_a_cpu(name, precision, batch, made):
    net, image = network(name, 3)
    prefer_onednn(net)
    net = net.to(memory_format=torch.channels_last_3d)
    image = image[:batch].contiguous(memory_format=torch.channels_last_3d)

    kept = gradients(net, image, False, precision)
    again = gradients(net, image, True, precision)

    assert made
    for a, b in zip(again, kept, strict=True):
        assert torch.equal(a, b)


def test_statistics_of_a_batch_norm_are_counted_once():
    net, image = network("plain_unet", 2, norm="batch")
    means = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]

    gradients(net, image, recompute=True)

    assert all(int(m.num_batches_tracked) == 1 for m in means)


def test_no_gradients_nothing_kept(made):
    net, image = network("plain_unet", 2)
    net.recompute = True

    with torch.no_grad():
        quiet = net(image)["classes"][0]

    assert torch.equal(quiet, net(image)["classes"][0].detach())
    assert not made


# Marks, without torch ---------------------------------------------------------------


def test_norm_and_activation_are_made_again_and_a_stack_is_made_of_its_parts():
    net = Drawing(1, (8, 8), 2)
    y = net.conv(net.image, 4, name="conv")
    a = net.act(net.norm(y, name="norm"))
    deep = net.conv(a, 4, stride=2, name="down")
    large = net.deconv(deep, 4, 2, name="up")
    stacked = net.cat(large, a)
    net.head(stacked, name="head")

    again = made_again(net, net.layers, {net.heads[0].logits})

    # Kept: y and `deep`, which are read anyway, and `large`, half of what it is in.
    assert again == {y.number + 1, a.number, stacked.number}


def test_a_sum_of_two_convolutions_is_kept():
    # Both parts are nowhere else: keeping them would be twice as much.
    net = Drawing(1, (8, 8), 2)
    both = net.add(
        net.conv(net.image, 4, name="one"), net.conv(net.image, 4, name="two")
    )
    net.head(net.act(both), name="head")

    assert made_again(net, net.layers, {net.heads[0].logits}) == set()


def test_what_a_loss_holds_is_not_made_again():
    net = Drawing(1, (8, 8), 2)
    a = net.act(net.norm(net.conv(net.image, 4, name="conv"), name="norm"))

    again = made_again(net, net.layers, {a.number})

    assert a.number not in again
