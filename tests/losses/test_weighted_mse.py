"""Weighted squares, by hand for a line of voxels."""

import math

import pytest
import torch

from autoseg.losses.weighted_mse import WeightedSquares


def test_each_voxel_weighs_a_power_of_its_target():
    logits = torch.tensor([[[0.0, 5.0, 10.0]]])
    target = torch.tensor([[[1.0, 1]]])
    loss = WeightedSquares(sigma=[1.0], base=40, height=10)(logits, target)
    side = math.exp(-0.5)
    expected = 40**side * side**2 + 40 * 0.25 + 40**side * (1 - side) ** 2
    assert float(loss) == pytest.approx(expected / (40 * 3), rel=1e-5)


def test_it_does_not_shrink_with_the_patch():
    target = torch.tensor([[[10.0, 10.0, 1]]])
    small, large = (
        WeightedSquares()(torch.zeros((1, 1, n, n)), target) for n in (24, 96)
    )
    torch.testing.assert_close(small, large, rtol=1e-3, atol=0)
