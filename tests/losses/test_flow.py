"""The loss of directions."""

import pytest
import torch

from autoseg.losses.flow import Flow


def test_it_is_the_mean_squared_length_of_the_error_over_voxels_with_a_direction():
    target = torch.zeros(1, 2, 1, 3)
    target[0, 0, 0, 0] = 1.0
    target[0, 1, 0, 1] = 1.0
    logits = torch.zeros(1, 2, 1, 3)
    logits[0, 0, 0, 2] = 100.0  # background

    assert float(Flow(weight=1.0)(logits, target)) == pytest.approx(1.0)
