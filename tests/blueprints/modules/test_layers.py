"""Layers that the networks share."""

import pytest
import torch
from torch import nn

from autoseg.blueprints.modules._layers import Deconv
from autoseg.blueprints.modules._norms import INSTANCE
from autoseg.blueprints.modules._start import start_weights


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_instance_norm_is_torchs_in_any_layout(dim, batch):
    mine = INSTANCE[dim](6, affine=True).train()
    theirs = (nn.InstanceNorm2d if dim == 2 else nn.InstanceNorm3d)(6, affine=True)
    with torch.no_grad():
        mine.weight.uniform_()
        mine.bias.uniform_()
    theirs.load_state_dict(mine.state_dict())
    layout = torch.channels_last if dim == 2 else torch.channels_last_3d
    image = torch.randn(batch, 6, *(5,) * dim).contiguous(memory_format=layout)

    for norm in (mine, theirs):
        norm(image).square().sum().backward()

    torch.testing.assert_close(mine(image), theirs(image))
    torch.testing.assert_close(mine.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(mine.eval()(image), theirs(image), rtol=0, atol=0)


def test_one_sample_keeps_its_layout_in_training():
    norm = INSTANCE[3](6, affine=True).train()
    image = torch.randn(1, 6, 5, 5, 5).contiguous(memory_format=torch.channels_last_3d)

    assert norm(image).is_contiguous(memory_format=torch.channels_last_3d)


def seen_by_each_output(layers, length):
    """Return the first and last voxel that each output depends on, along one axis."""
    row = torch.ones(1, 1, length, length, requires_grad=True)
    outputs = layers(row)[0, 0, :, 0]
    found = []
    for output in outputs:
        (gradient,) = torch.autograd.grad(output, row, retain_graph=True)
        places = gradient[0, 0].abs().sum(1).nonzero()
        found.append((int(places.min()), int(places.max())))
    return found


def down(kernel, stride, padding):
    return nn.Conv2d(1, 1, kernel, stride, padding)


def test_a_level_sees_at_first_just_the_voxels_that_it_stands_for():
    levels = nn.Sequential(down(3, 2, 1), down(3, 2, 1), down(3, 2, 1))

    start_weights(levels, 0.01)

    assert seen_by_each_output(levels, 32) == [(8 * i, 8 * i + 7) for i in range(4)]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "first", "last"),
    [
        (2, 2, 0, 0, 1),  # in the middle by itself
        (4, 2, 1, -1, 2),
        (5, 2, 2, -1, 2),
        (7, 2, 3, -2, 3),
        (3, 3, 1, -1, 1),  # off by one, since its middle alone would see one of three
        (7, 4, 3, 0, 3),
    ],
)
def test_kernels_start_in_the_middle_of_what_they_stand_for(
    kernel, stride, padding, first, last
):
    layer = down(kernel, stride, padding)

    start_weights(layer, 0.01)

    seen = seen_by_each_output(layer, 24)
    i = len(seen) // 2
    assert seen[i] == (stride * i + first, stride * i + last)


def test_an_overlapping_decoder_starts_by_writing_where_its_level_stands():
    plain = nn.ConvTranspose2d(1, 1, 3, 2, 1)
    large = Deconv(plain, (1, 1))
    start_weights(large, 0.01)
    level = torch.zeros(1, 1, 6, 6)
    level[0, 0, 2, 2] = 1

    written = large(level)[0, 0]

    assert written.shape == (12, 12)
    assert written.nonzero().tolist() == [[4, 4], [4, 5], [5, 4], [5, 5]]


def test_taps_that_are_left_out_at_first_are_learnt_all_the_same():
    layer = down(3, 2, 1)
    start_weights(layer, 0.01)

    layer(torch.randn(1, 1, 8, 8)).square().sum().backward()

    assert (layer.weight.grad != 0).all()


def test_kernels_in_the_middle_keep_the_variance_of_what_they_make():
    torch.manual_seed(0)
    layer = nn.Conv2d(64, 512, 3, 2, 1)

    start_weights(layer, 0.0)

    made = layer(torch.randn(8, 64, 16, 16))
    # He's rule: half of the squares come through a ReLU, so weights are to double them.
    assert made.square().mean().item() == pytest.approx(2.0, rel=0.03)
