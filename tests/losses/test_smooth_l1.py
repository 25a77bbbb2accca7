"""Huber's loss, by hand for a line of voxels."""

import math

import pytest
import torch

from autoseg.losses.smooth_l1 import SmoothAbsolute


def test_squares_end_where_absolute_values_begin():
    logits = torch.tensor([[[0.0, 9.5, 10 * math.exp(-0.5)]]])
    target = torch.tensor([[[1.0, 1]]])
    loss = SmoothAbsolute(sigma=[1.0], beta=0.1, height=10)(logits, target)
    side = math.exp(-0.5)
    far, near = side - 0.05, 0.05**2 / (2 * 0.1)
    # The mean, and the mean with the Gaussian's values as weights.
    mean, peak = (far + near) / 3, (side * far + near) / (1 + 2 * side)
    assert float(loss) == pytest.approx(mean + peak, rel=1e-5)
