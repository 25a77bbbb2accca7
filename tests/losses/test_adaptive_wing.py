"""Adaptive Wing, against the paper's formula for single voxels."""

import math

import pytest
import torch

from autoseg.losses.adaptive_wing import AdaptiveWing


def wing(predicted, target):
    """Return the loss of one voxel: equation 3 of the paper, with its constants."""
    alpha, omega, epsilon, theta = 2.1, 14, 1, 0.5
    ratio = theta / epsilon
    power = alpha - target
    a = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    c = theta * a - omega * math.log(1 + ratio**power)
    away = abs(target - predicted)
    if away < theta:
        return omega * math.log(1 + (away / epsilon) ** power)
    return a * away - c


@pytest.mark.parametrize("predicted", [0.0, 0.3, 0.7, 1.4])
def test_a_patch_of_one_voxel_is_the_papers_formula(predicted):
    loss = AdaptiveWing(sigma=[1.0], height=10.0)
    logits = torch.full((1, 1, 1, 1), 10 * predicted)
    absent = loss(logits, torch.tensor([[[0.0, 0.0, 0]]]))
    present = loss(logits, torch.tensor([[[0.0, 0.0, 1]]]))
    # In parts of omega = 14; of one voxel both means are the same.
    assert float(absent) == pytest.approx(wing(predicted, 0) / 14, abs=1e-6)
    assert float(present) == pytest.approx(2 * wing(predicted, 1) / 14, abs=1e-6)
