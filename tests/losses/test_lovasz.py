"""The Lovasz extension by hand."""

import math

import torch
from pytest import approx

from autoseg.losses.lovasz import Lovasz


def test_of_hard_predictions_it_is_the_jaccard_loss():
    # At the corners, the extension is the function itself: class 1 has 2 of 4 voxels
    # right, and 1 too much: 1 - 2/5.
    target = torch.tensor([[[1, 1, 1, 1, 0, 0]]])
    said = torch.tensor([[[1, 1, 0, 0, 1, 0]]])
    logits = torch.stack((1 - said, said), dim=1) * 400.0

    assert Lovasz()(logits, target).item() == approx(1 - 2 / 5, abs=1e-5)


def test_by_hand_between_the_corners():
    # Class 1 at the first voxel; p = 3/4 there and 1/4 at the other: errors 1/4 both.
    # In order, Jaccard loses 1 by the first and nothing more by the second.
    logits = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]]).reshape(1, 2, 1, 2)

    assert Lovasz()(logits, torch.tensor([[[1, 0]]])).item() == approx(0.25, abs=1e-5)


def test_the_batch_may_count_as_one_image():
    target = torch.tensor([[[1, 1]], [[0, 0]]])
    said = torch.tensor([[[1, 0]], [[1, 0]]])
    logits = torch.stack((1 - said, said), dim=1) * 400.0

    apart, joined = (Lovasz(one)(logits, target).item() for one in (False, True))

    # apart: 1 - 1/2, and 1 for a class that is not there; together: 1 - 1/3
    assert (apart, joined) == (approx(0.75), approx(2 / 3))
