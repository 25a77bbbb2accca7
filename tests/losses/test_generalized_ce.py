"""Generalized cross-entropy by hand."""

import math

import torch
from pytest import approx, raises

from autoseg.errors import PlanError
from autoseg.losses.generalized_ce import GeneralizedCrossEntropy


def test_it_is_between_cross_entropy_and_absolute_error():
    logits, one = (
        torch.tensor([math.log(3), 0.0]).reshape(1, 2, 1, 1),
        torch.ones(1, 1, 1),
    )

    found = [
        GeneralizedCrossEntropy(q=q)(logits, one.long()).item()
        for q in (1e-4, 0.5, 1.0)
    ]

    # p = 1/4: log 4; (1 - 1/2) / 0.5; 3/4
    assert found == approx([math.log(4), 1.0, 0.75], rel=1e-3)


def test_an_exponent_beyond_one_is_refused():
    with raises(PlanError, match="q is 2"):
        GeneralizedCrossEntropy(q=2.0)
