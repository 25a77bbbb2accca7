"""The Tversky index by hand."""

import torch
from pytest import approx, raises

from autoseg.errors import PlanError
from autoseg.losses.dice import SoftDice
from autoseg.losses.tversky import Tversky


def test_what_is_missing_and_what_is_too_much_have_weights():
    # p = 1/2, 4 of 16 voxels: TP 2, FP 6, FN 2: 2 / (2 + 0.3 * 6 + 0.7 * 2)
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    target[:, 0] = 1

    found = Tversky()(torch.zeros((1, 2, 4, 4)), target)

    assert found.item() == approx(-2 / (2 + 1.8 + 1.4), abs=1e-4)


def test_with_halves_it_is_dice():
    logits = torch.randn((2, 3, 4, 5), generator=torch.Generator().manual_seed(0))
    target = torch.arange(40).reshape(2, 4, 5) % 3

    one = Tversky(True, alpha=0.5, beta=0.5)(logits, target)

    assert one.item() == approx(SoftDice(True)(logits, target).item(), abs=1e-5)


def test_weights_below_zero_are_refused():
    with raises(PlanError, match="tversky: alpha is -1"):
        Tversky(alpha=-1.0)
