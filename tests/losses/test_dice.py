"""Soft Dice alone."""

import torch
from pytest import approx

from autoseg.losses.dice import SoftDice


def test_it_is_minus_the_dice_of_the_foreground():
    # p = 1/2 everywhere, 8 of 16 voxels are class 1: 2 * 4 / (8 + 8)
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    target[:, :2] = 1

    assert SoftDice()(torch.zeros((1, 2, 4, 4)), target).item() == approx(-0.5)
