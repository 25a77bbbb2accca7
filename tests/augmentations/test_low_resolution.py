"""Simulated low resolution against batchgeneratorsv2."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.spatial.low_resolution import (
    SimulateLowResolutionTransform,
)

from autoseg.augmentations.base import Context
from autoseg.augmentations.low_resolution import Coarse, LowResolution


@pytest.mark.parametrize("shape", [(12, 14, 17), (30, 17)], ids=str)
@pytest.mark.parametrize("flat", [False, True])
def test_it_is_the_low_resolution_of_batchgenerators(shape, flat):
    image = torch.randn(2, *shape)
    reference = SimulateLowResolutionTransform((0.5, 1), False, True, ())
    scales = torch.full((1, len(shape)), 0.63)
    if flat:
        scales[:, 0] = 1

    coarse = LowResolution().image(image, Coarse(zooms=(None, 0.63), flat=flat))

    expected = reference._apply_to_image(
        image.clone(), apply_to_channel=[1], scales=scales
    )
    torch.testing.assert_close(coarse, expected)


def test_half_of_a_line_is_interpolated_back():
    image = torch.tensor([0.0, 2.0, 4.0, 6.0]).reshape(1, 4, 1)

    coarse = LowResolution().image(image, Coarse(zooms=(0.5,), flat=False))

    # voxels 1 and 3 remain, 2 and 6, at 0.5 and 2.5; between them lies 1/4, 3/4
    assert coarse.flatten().tolist() == pytest.approx([2, 3, 5, 6])


def test_one_patch_in_four_and_then_half_of_its_channels():
    context = Context(patch_size=(4, 40, 40), channels=2)
    rng = np.random.default_rng(0)
    drawn = [LowResolution().draw(rng, context) for _ in range(4000)]
    zooms = [z for d in drawn if d is not None for z in d.zooms if z is not None]

    # happens unless neither channel is chosen: 0.25 * 3/4
    assert abs(sum(d is not None for d in drawn) - 750) < 75
    assert abs(len(zooms) - 1000) < 120
    assert 0.5 <= min(zooms) < 0.51 and 0.99 < max(zooms) <= 1
    assert all(d.flat for d in drawn if d is not None)
