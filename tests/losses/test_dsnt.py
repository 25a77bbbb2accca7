"""The mean place of a heatmap, by hand for a line of voxels."""

import math

import pytest
import torch

from autoseg.losses.dsnt import ExpectedPlace


def test_it_is_presence_distance_and_divergence():
    logits = torch.tensor([[[0.0, math.log(3), 0.0, 0.0]]])
    target = torch.tensor([[[0.0, 1]]])
    p = torch.tensor([1, 3, 1, 1]) / 6
    t = torch.exp(-0.5 * torch.arange(4) ** 2)
    t = t / t.sum()
    middle = (p + t) / 2
    divergence = ((p * (p / middle).log()).sum() + (t * (t / middle).log()).sum()) / 2
    place = torch.arange(4) / 4
    apart = ((p - t) * place).sum() ** 2
    expected = math.log(1 + 1 / 6) + float(divergence) + 7 * float(apart)
    loss = ExpectedPlace(sigma=[1.0], weight=7)(logits, target)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_an_absent_point_costs_the_odds_that_it_is_anywhere():
    logits = torch.tensor([[[0.0, math.log(3)]]])
    loss = ExpectedPlace()(logits, torch.tensor([[[0.0, 0]]]))
    assert float(loss) == pytest.approx(math.log(1 + 4))
