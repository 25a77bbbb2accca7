"""Squares in balance, by hand for a line of voxels."""

import math

import pytest
import torch

from autoseg.losses.balanced_mse import BalancedSquares


def test_the_peak_and_the_background_weigh_the_same():
    logits = torch.tensor([[[0.0, 5.0, 10.0]]])
    target = torch.tensor([[[1.0, 1]]])
    loss = BalancedSquares(sigma=[1.0], height=10)(logits, target)
    side = math.exp(-0.5)
    squares = [side**2, 0.25, (1 - side) ** 2]
    # The mean, and the mean with the Gaussian's values as weights.
    near = (side * squares[0] + squares[1] + side * squares[2]) / (1 + 2 * side)
    assert float(loss) == pytest.approx(sum(squares) / 3 + near, rel=1e-5)


def test_an_absent_point_is_background_everywhere():
    logits = torch.tensor([[[0.0, 5.0, 10.0]]])
    loss = BalancedSquares(sigma=[1.0], height=10)(logits, torch.tensor([[[1.0, 0]]]))
    assert float(loss) == pytest.approx((0.25 + 1) / 3)


def test_a_peak_is_not_lost_in_a_large_patch():
    target = torch.tensor([[[10.0, 10.0, 1]]])
    small, large = (
        BalancedSquares()(torch.zeros((1, 1, n, n)), target) for n in (24, 192)
    )
    # Of an empty heatmap, half of the squares' mean at the peak: of t ** 2 weighted by
    # t, for a Gaussian in two axes 1 / 3.
    assert float(large) == pytest.approx(1 / 3, abs=0.01)
    assert float(small) > float(large)
