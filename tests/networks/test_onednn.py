"""Convolutions by oneDNN compute what torch's own compute."""

import copy

import pytest
import torch
from torch import nn

from autoseg.networks import NETWORKS, onednn
from autoseg.networks.onednn import prefer_onednn
from tests.each import each

LAST = {2: torch.channels_last, 3: torch.channels_last_3d}

# in, out, kernel, stride, padding, dilation, groups, spatial shape
LAYERS = {
    "3-D": (1, 8, 3, 1, 1, 1, 1, (10, 14, 10)),
    "even rows, stride": (8, 16, 3, 2, 1, 1, 1, (10, 14, 10)),
    "odd rows, stride": (8, 16, 3, 2, 1, 1, 1, (9, 14, 11)),
    "odd rows out": (4, 4, 3, 1, 1, 1, 1, (7, 6, 5)),
    "one voxel kernel": (16, 3, 1, 1, 0, 1, 1, (6, 7, 5)),
    "flat kernel, strides": (4, 8, (1, 3, 3), (1, 2, 2), (0, 1, 1), 1, 1, (5, 8, 8)),
    "one row": (4, 8, (1, 3, 3), 1, (0, 1, 1), 1, 1, (1, 8, 8)),
    "dilated": (4, 4, 3, 1, 2, 2, 1, (9, 8, 7)),
    "no padding": (4, 4, 3, 1, 0, 1, 1, (8, 8, 7)),
    "groups": (4, 4, 3, 1, 1, 1, 2, (6, 8, 7)),
    "2-D": (3, 8, 3, 1, 1, 1, 1, (12, 14)),
    "2-D, large enough for torch itself": (24, 8, 3, 1, 1, 1, 1, (32, 32)),
}  # fmt: skip


def assert_alike(ours, theirs, atol):
    """Compare outputs and all gradients, given output, layer and image of each."""
    (found, layer, image), (wanted, reference, exact) = ours, theirs
    pairs = [(found, wanted), (image.grad, exact.grad)]
    both = zip(layer.parameters(), reference.parameters(), strict=True)
    pairs += [(p.grad, q.grad) for p, q in both]
    for mine, right in pairs:
        torch.testing.assert_close(mine.double(), right, atol=atol, rtol=1e-4)


@each("last", [True, False])
@each("bias", [True, False])
@each("batch", [1, 2])
@each("case", LAYERS)
def test_outputs_and_gradients_are_those_of_double_precision(case, batch, bias, last):
    torch.manual_seed(0)
    channels, out, *settings, groups, shape = LAYERS[case]
    kind = {2: nn.Conv2d, 3: nn.Conv3d}[len(shape)]
    layer = kind(channels, out, *settings, groups, bias)
    reference = copy.deepcopy(layer).double()
    prefer_onednn(layer)
    image = torch.randn(batch, channels, *shape)
    exact = image.double().requires_grad_()
    if last:
        layer.to(memory_format=LAST[len(shape)])
        image = image.contiguous(memory_format=LAST[len(shape)])
    image.requires_grad_()

    found, wanted = layer(image), reference(exact)
    slope = torch.randn_like(found)
    found.backward(slope)
    wanted.backward(slope.double())

    # Sums of up to some thousand products of numbers about 1, in single precision.
    assert_alike((found, layer, image), (wanted, reference, exact), atol=2e-4)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [(2, 2), (2, 2, 2), (1, 2, 3)], ids=str)
def test_transposed_convolutions_are_those_of_double_precision(stride, bias):
    torch.manual_seed(0)
    kind = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[len(stride)]
    last = LAST[len(stride)]
    layer = kind(6, 4, stride, stride, bias=bias)
    reference = copy.deepcopy(layer).double()
    prefer_onednn(layer)
    image = torch.randn(2, 6, *(5, 4, 3)[: len(stride)])
    exact = image.double().requires_grad_()
    image = image.contiguous(memory_format=last).requires_grad_()

    found, wanted = layer(image), reference(exact)
    slope = torch.randn_like(found)
    found.backward(slope)
    wanted.backward(slope.double())

    assert found.is_contiguous(memory_format=last)
    assert_alike((found, layer, image), (wanted, reference, exact), atol=1e-5)


def test_a_whole_network_learns_as_in_double_precision(monkeypatch):
    # Norms as of large images; activations overwrite what norms and layers give.
    monkeypatch.setattr(onednn, "MANY", 0)
    torch.manual_seed(0)
    options, shape = NETWORKS["residual_unet"].example(3)
    network = NETWORKS["residual_unet"](1, {"a": 3}, **options)
    reference = copy.deepcopy(network).double()
    prefer_onednn(network)
    network.to(memory_format=torch.channels_last_3d)
    image = torch.randn(1, 1, *(2 * size for size in shape))

    found, wanted = network(image)["a"], reference(image.double())["a"]
    slope = torch.randn_like(found)
    found.backward(slope)
    wanted.backward(slope.double())

    assert found.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)
    for (name, mine), right in zip(
        network.named_parameters(), reference.parameters(), strict=True
    ):
        if right.grad is None:  # an output of deep supervision that was not asked for
            continue
        largest = max(1.0, float(right.grad.abs().max()))
        difference = float((mine.grad.double() - right.grad).abs().max())
        assert difference < 1e-4 * largest, name


def test_gradients_are_only_computed_where_they_are_wanted():
    layer = nn.Conv3d(1, 4, 3, padding=1)
    prefer_onednn(layer)
    image = torch.randn(1, 1, 6, 6, 6)

    layer(image).sum().backward()

    assert image.grad is None
    assert layer.weight.grad is not None


def test_half_precision_trains_too():
    layer = nn.Conv3d(2, 4, 3, padding=1)
    prefer_onednn(layer)

    with torch.autocast("cpu", torch.bfloat16):
        output = layer(torch.randn(1, 2, 6, 6, 6))
    output.float().sum().backward()

    assert output.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32
    # Each of the 4 * 216 outputs adds 1 to the gradient of its channel's bias.
    torch.testing.assert_close(layer.bias.grad, torch.full((4,), 216.0))


def test_weights_keep_their_names():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3, bias=False))
    names = set(network.state_dict())

    prefer_onednn(network)

    assert set(network.state_dict()) == names


@pytest.mark.parametrize("shape", [(9, 7), (4, 6, 5)])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("many", [0, 2**18], ids=["large", "small"])
def test_norms_compute_the_same_and_keep_channels_last(
    many, batch, affine, shape, monkeypatch
):
    monkeypatch.setattr(onednn, "MANY", many)
    torch.manual_seed(0)
    kind = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}[len(shape)]
    last = LAST[len(shape)]
    layer = kind(6, eps=1e-3, affine=affine)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    reference = copy.deepcopy(layer).double()
    prefer_onednn(layer)
    image = 2 * torch.randn(batch, 6, *shape) + 3
    exact = image.double().requires_grad_()
    image = image.contiguous(memory_format=last).requires_grad_()

    found, wanted = layer(image), reference(exact)
    slope = torch.randn_like(found)
    found.backward(slope)
    # torch 2.13 is wrong for one sample if image and slope are laid out differently.
    wanted.backward(slope.double().contiguous())

    assert found.is_contiguous(memory_format=last)
    assert_alike((found, layer, image), (wanted, reference, exact), atol=1e-4)


def test_norms_of_channels_first_stay_so():
    layer = nn.InstanceNorm2d(4)
    prefer_onednn(layer)

    assert layer(torch.randn(2, 4, 8, 8)).is_contiguous()


def test_a_norm_of_one_voxel_is_refused_in_any_layout():
    layer = nn.InstanceNorm3d(4)
    prefer_onednn(layer)
    voxel = torch.randn(2, 4, 1, 1, 1).contiguous(memory_format=torch.channels_last_3d)

    with pytest.raises(ValueError, match="more than 1 spatial element"):
        layer(voxel)


def test_norms_with_running_statistics_are_left_alone():
    layer = nn.InstanceNorm2d(4, track_running_stats=True).eval()
    image = torch.randn(1, 4, 8, 8).contiguous(memory_format=torch.channels_last)
    wanted = layer(image)

    prefer_onednn(layer)

    torch.testing.assert_close(layer(image), wanted)
