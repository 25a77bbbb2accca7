"""Layers that the networks share."""

import pytest
import torch
from torch import nn

from autoseg.blueprints.modules._norms import INSTANCE


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
