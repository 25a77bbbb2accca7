"""Binary cross-entropy of the hardest voxels, by hand."""

import math

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.losses.top_k_bce import TopKBinaryCrossEntropy

ABSENT = torch.tensor([[[0.0, 0]]])


def test_only_the_share_with_the_largest_loss_counts():
    logits = torch.tensor([[[0.0, 3.0, -1.0, 2.0]]])
    loss = TopKBinaryCrossEntropy(share=0.5)(logits, ABSENT)
    cost = [math.log1p(math.exp(z)) for z in (3.0, 2.0)]
    assert float(loss) == pytest.approx(sum(cost) / 2, rel=1e-5)


def test_a_whole_share_of_a_peak_is_the_divergence_from_the_target():
    logits = torch.tensor([[[-1.0, 2.0]]])
    loss = TopKBinaryCrossEntropy(sigma=[1.0], share=1)(
        logits, torch.tensor([[[1.0, 1]]])
    )
    side = math.exp(-0.5)
    p = [1 / (1 + math.exp(1)), 1 / (1 + math.exp(-2))]
    expected = side * math.log(side / p[0])
    expected += (1 - side) * math.log((1 - side) / (1 - p[0])) - math.log(p[1])
    assert float(loss) == pytest.approx(expected / 2, rel=1e-4)


def test_a_share_that_cannot_be_is_an_error():
    with pytest.raises(PlanError, match="share"):
        TopKBinaryCrossEntropy(share=0)
