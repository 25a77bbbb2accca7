"""Symmetric cross-entropy by hand."""

import math

import torch
from pytest import approx

from autoseg.losses.symmetric_ce import SymmetricCrossEntropy


def test_it_is_both_cross_entropies():
    # p = 1/4 for what is said: log 4, and 4 * 3/4 the other way round
    logits = torch.tensor([math.log(3), 0.0]).reshape(1, 2, 1, 1)

    found = SymmetricCrossEntropy(alpha=0.5, beta=2.0)(
        logits, torch.ones((1, 1, 1)).long()
    )

    assert found.item() == approx(0.5 * math.log(4) + 2 * 3, rel=1e-5)
