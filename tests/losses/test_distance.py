"""The loss of distances."""

import pytest
import torch

from autoseg.losses.distance import KNEE, Distance


def test_inside_and_outside_weigh_the_same_however_large_they_are():
    target = torch.zeros(1, 1, 1, 10)
    target[..., 0] = 1.0
    logits = target + 0.5

    # each is off by 0.5, of which half of the knee is forgiven
    assert float(Distance()(logits, target)) == pytest.approx(2 * (0.5 - KNEE / 2))
    assert float(Distance(inside=True)(logits, target)) == pytest.approx(0.5 - KNEE / 2)
