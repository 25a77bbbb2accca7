"""Generalized Dice by hand."""

import torch
from pytest import approx

from autoseg.losses.generalized_dice import GeneralizedDice


def test_small_classes_weigh_as_much_as_large_ones():
    # Of class 1 there are 4 voxels and of class 2 one; p = 1/3 everywhere:
    # overlaps 4/3 and 1/3, sums 16/3 + 4 and 16/3 + 1, weights 1/16 and 1.
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    target[:, 0], target[0, 1, 0] = 1, 2
    above = 2 * (4 / 3 / 16 + 1 / 3)
    below = (16 / 3 + 4) / 16 + 16 / 3 + 1

    found = GeneralizedDice()(torch.zeros((1, 3, 4, 4)), target)

    assert found.item() == approx(1 - above / below, abs=1e-4)


def test_a_class_that_is_not_there_weighs_as_the_smallest_that_is():
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    target[:, 0] = 1  # weights 1/16 for both; class 2 has no overlap
    above, below = 2 * 4 / 3, (16 / 3 + 4) + 16 / 3

    found = GeneralizedDice()(torch.zeros((1, 3, 4, 4)), target)

    assert found.item() == approx(1 - above / below, abs=1e-4)
