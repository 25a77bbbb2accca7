"""The loss of affinities."""

import pytest
import torch

from autoseg.losses.affinity import Affinity


def test_half_the_loss_is_that_of_the_opposites():
    target = torch.zeros(1, 1, 4)
    target[..., 0] = 1.0
    logits = torch.full((1, 1, 4), -200.0)  # nothing is the same

    # Dice of being the same is 0; of being apart it is 2 * 3 / (4 + 3).
    wanted = 1 - (0 + 6 / 7) / 2
    assert float(Affinity()(logits, target)) == pytest.approx(wanted, abs=1e-4)
