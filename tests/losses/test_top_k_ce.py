"""Cross-entropy over the hardest voxels."""

import math

import torch
from pytest import approx, raises

from autoseg.errors import PlanError
from autoseg.losses.top_k_ce import TopKCrossEntropy


def test_the_hardest_voxels_of_each_sample_count():
    # Entropies of class 0: log(1 + e^z)
    z = torch.tensor([[0.0, 1.0, 2.0, 3.0], [5.0, 0.0, 0.0, -1.0]])
    logits = torch.stack((torch.zeros_like(z), z), dim=1)[..., None]

    found = TopKCrossEntropy(share=0.5)(logits, torch.zeros((2, 4, 1)).long())

    hard = [math.log(1 + math.exp(x)) for x in (2, 3, 5, 0)]
    assert found.item() == approx((sum(hard[:2]) / 2 + sum(hard[2:]) / 2) / 2)


def test_a_share_of_nothing_is_refused():
    with raises(PlanError, match="share is 0"):
        TopKCrossEntropy(share=0.0)
