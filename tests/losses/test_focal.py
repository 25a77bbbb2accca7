"""The focal loss by hand."""

import math

import torch
from pytest import approx

from autoseg.losses.focal import Focal


def test_easy_voxels_count_less():
    # p of what is said: 3/4 and 1/4
    logits = torch.tensor([[0.0, 0.0], [math.log(3), math.log(3)]]).reshape(1, 2, 1, 2)
    target = torch.tensor([[[1, 0]]])

    found = Focal(gamma=2.0)(logits, target)

    by_hand = (0.25**2 * math.log(4 / 3) + 0.75**2 * math.log(4)) / 2
    assert found.item() == approx(by_hand, rel=1e-5)


def test_of_regions_each_counts():
    # sigmoid(0) = 1/2 for both regions: 1/4 log 2
    loss = Focal(regions=[[1, 2], [2]])
    found = loss(torch.zeros((1, 2, 2, 2)), torch.tensor([[[0, 1], [2, 0]]]))

    assert found.item() == approx(math.log(2) / 4)
