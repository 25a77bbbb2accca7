"""Packed networks compute what their layers compute in double precision."""

import copy

import pytest
import torch
from torch import nn

from autoseg.networks import NETWORKS
from autoseg.networks.packed import can_pack, pack
from tests.each import each

pytestmark = pytest.mark.skipif(
    not can_pack(torch.float32), reason="oneDNN is not there, or not on this processor"
)
needs_bf16 = pytest.mark.skipif(
    not can_pack(torch.bfloat16), reason="this processor does not compute in bf16"
)

# layer, channels of the image, spatial shape
LAYERS = {
    "3-D": (nn.Conv3d(3, 8, 3, padding=1), 3, (10, 14, 9)),
    "3-D, stride": (nn.Conv3d(8, 16, 3, 2, 1), 8, (9, 14, 11)),
    "flat kernel": (nn.Conv3d(4, 8, (1, 3, 3), (1, 2, 2), (0, 1, 1)), 4, (5, 8, 8)),
    "one voxel kernel": (nn.Conv3d(16, 3, 1, bias=False), 16, (6, 7, 5)),
    "dilated": (nn.Conv3d(4, 4, 3, padding=2, dilation=2), 4, (9, 8, 7)),
    "groups": (nn.Conv3d(4, 4, 3, groups=2), 4, (6, 8, 7)),
    "2-D": (nn.Conv2d(3, 8, 3, padding=1), 3, (12, 14)),
    "reflecting": (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), 3, (6, 7)),
    "up 2-D": (nn.ConvTranspose2d(8, 4, 2, 2), 8, (5, 6)),
    "up 3-D": (
        nn.ConvTranspose3d(8, 4, (1, 2, 2), (1, 2, 2), bias=False),
        8,
        (4, 5, 6),
    ),
    "norm 2-D, few channels": (nn.InstanceNorm2d(3, affine=True), 3, (16, 16)),
    "norm 2-D, odd": (nn.InstanceNorm2d(5, affine=True), 5, (7, 9)),
    "norm 3-D": (nn.InstanceNorm3d(8, affine=True), 8, (4, 6, 8)),
    "norm of two voxels": (nn.InstanceNorm2d(4, affine=True), 4, (2, 1)),
    "norm of four voxels": (nn.InstanceNorm2d(4, affine=True), 4, (2, 2)),
    "norm, many channels": (nn.InstanceNorm2d(200, eps=1e-3), 200, (4, 4)),
}


@each("batch", [1, 2])
@each("case", LAYERS)
def test_layers_compute_what_they_do_in_double_precision(case, batch):
    torch.manual_seed(0)
    layer, channels, shape = LAYERS[case]
    layer = copy.deepcopy(layer)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    exact = copy.deepcopy(layer).double()
    image = 3 * torch.randn(batch, channels, *shape) + 5  # far from a mean of 0
    pack(layer, torch.float32)

    with torch.inference_mode():
        found, wanted = layer(image), exact(image.double())

    torch.testing.assert_close(found.double(), wanted, atol=2e-4, rtol=1e-4)


def test_a_norm_keeps_small_differences_about_a_large_mean():
    # Sums of squares in single precision would lose them: 1000**2 has 7 digits.
    torch.manual_seed(0)
    layer = nn.InstanceNorm2d(4, eps=0.0)
    image = 1000 + torch.randn(1, 4, 64, 64)
    wanted = layer(image.double())
    pack(layer, torch.float32)

    found = layer(image)

    torch.testing.assert_close(found.double(), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_whole_networks_compute_the_same(name, dim, norm):
    torch.manual_seed(0)
    options, shape = NETWORKS[name].example(dim)
    network = NETWORKS[name](2, {"a": 3}, **{**options, "norm": norm}).eval()
    image = torch.randn(1, 2, *(4 * size for size in shape))
    with torch.inference_mode():
        wanted = copy.deepcopy(network).double()(image.double())["a"]
    names = set(network.state_dict())

    pack(network, torch.float32)
    with torch.inference_mode():
        found = network(image)["a"]

    assert set(network.state_dict()) == names
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("features", "copied"), [([8, 16, 16], False), ([4, 12, 16], True)], ids=str
)
def test_stacks_of_full_registers_are_convolved_without_a_copy(
    features, copied, monkeypatch
):
    torch.manual_seed(0)
    options, shape = NETWORKS["plain_unet"].example(2)
    options = {
        **options,
        "features": features,
        "kernels": [[3, 3]] * 3,
        "strides": [[1, 1], [2, 2], [2, 2]],
        "convs_encoder": [1] * 3,
        "convs_decoder": [1] * 2,
    }
    network = NETWORKS["plain_unet"](1, {"a": 3}, **options).eval()
    image = torch.randn(1, 1, *(8 * size for size in shape))
    with torch.inference_mode():
        wanted = copy.deepcopy(network).double()(image.double())["a"]
    pack(network, torch.float32)
    stacked, cat = [], torch.cat
    monkeypatch.setattr(
        torch, "cat", lambda *given, **more: stacked.append(1) or cat(*given, **more)
    )

    with torch.inference_mode():
        found = network(image)["a"]

    assert bool(stacked) == copied
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


@needs_bf16
def test_half_precision_is_as_close_as_torch_itself_is():
    torch.manual_seed(0)
    options, shape = NETWORKS["plain_unet"].example(2)
    network = NETWORKS["plain_unet"](1, {"a": 3}, **options).eval()
    image = torch.randn(1, 1, *(8 * size for size in shape))
    with torch.inference_mode():
        wanted = network(image)["a"]
        with torch.autocast("cpu", torch.bfloat16):
            theirs = (network(image)["a"].float() - wanted).abs()
            pack(network, torch.bfloat16)
            found = network(image)["a"]

    ours = (found.float() - wanted).abs()
    assert found.dtype == torch.bfloat16
    assert 0 < ours.mean() < 1.5 * theirs.mean()


@needs_bf16
def test_layers_that_are_not_known_go_on_under_autocast():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    ).eval()  # fmt: skip
    image = torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        wanted = network(image)
        pack(network, torch.bfloat16)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(image)

    torch.testing.assert_close(found.float(), wanted, atol=0.02, rtol=0.02)


def test_an_image_of_one_voxel_is_refused_as_before():
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.InstanceNorm2d(2))
    pack(network, torch.float32)

    with pytest.raises(ValueError, match="more than 1 spatial element"):
        network(torch.zeros(1, 1, 1, 1))


def test_a_norm_overwrites_only_what_nobody_else_reads():
    options, _ = NETWORKS["residual_unet"].example(2)
    network = NETWORKS["residual_unet"](1, {"a": 3}, **options)

    free = network.sole_readers("norm", of="conv")

    norms = {n for n, m in network.named_modules() if isinstance(m, nn.InstanceNorm2d)}
    assert free == norms  # each stands behind a convolution of its own
    assert network.sole_readers("conv", of="act") < {
        n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)
    }  # the first convolutions of blocks and their short cuts read the same


def test_weights_are_ordered_once_for_windows_of_one_shape(capfd):
    # What oneDNN says of itself: for a window as small as this, it wants another order
    # than for the shape that it is packed for when nobody names one.
    layer = nn.Conv3d(64, 64, 3, padding=1)
    pack(layer, torch.float32)
    window = torch.randn(1, 64, 4, 4, 4)

    with torch.inference_mode():
        layer(window)
        with torch.backends.mkldnn.verbose(1):
            layer(window.contiguous(memory_format=torch.channels_last_3d))

    done = [line for line in capfd.readouterr().out.splitlines() if ",exec," in line]
    assert [line.split(",")[5] for line in done] == ["convolution"]
